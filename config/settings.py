"""The environment, read once into one frozen Settings."""

import base64
import binascii
import ipaddress
import math
import os
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

PREFIX = "KEGUI_"
Door = Literal["customer", "contacts", "archive"]
# Nothing is the default elsewhere; here it says: none at all.
MAY_BE_EMPTY = ("metrics_bind",)
WECOM_HOST = "qyapi.weixin.qq.com"
# What every parser reads alike: no user, no backslash, nothing that some of them would drop.
ADDRESS = re.compile(
    r"https?://([A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
    r"(/[A-Za-z0-9._~%/:@!$&'()*+,;=-]*)?"
)
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class SettingsError(Exception):
    """Some settings are malformed; the text names them and never a value.

    ``variables`` are those that have to be mended, by their names in the environment.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.variables = tuple(problem.partition(":")[0] for problem in problems)


class Settings(BaseSettings):
    """All that may differ between installations.

    Every name is read from ``KEGUI_<NAME>``; every name also from the file that
    ``KEGUI_<NAME>_FILE`` points to, so that secrets need not stand in the environment.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    corp_id: str = ""
    agent_id: int | None = None
    app_secret: SecretStr | None = None
    contacts_secret: SecretStr | None = None
    archive_secret: SecretStr | None = None
    callback_token: SecretStr | None = None
    callback_aes_key: SecretStr | None = None
    contacts_callback_token: SecretStr | None = None
    contacts_callback_aes_key: SecretStr | None = None
    archive_callback_token: SecretStr | None = None
    archive_callback_aes_key: SecretStr | None = None
    archive_sdk: Path | None = None
    archive_private_keys: Path | None = None
    archive_proxy: SecretStr | None = None
    archive_sdk_timeout: int = Field(30, ge=1, le=600)
    archive_pull_seconds: float = Field(60, gt=0, allow_inf_nan=False)
    archive_alarm_hours: float = Field(6, gt=0, le=120, allow_inf_nan=False)

    wecom_api_base: str = "https://qyapi.weixin.qq.com"
    wecom_oauth_base: str = "https://open.weixin.qq.com"
    wecom_login_base: str = "https://login.work.weixin.qq.com"
    wecom_jssdk_url: str = "https://wwcdn.weixin.qq.com/node/wework/wwopen/js/wecom-jssdk-2.4.0.js"
    domain_verify_file: Path | None = None
    database_url: SecretStr = SecretStr("sqlite:///var/kegui.db")
    database_owner_url: SecretStr | None = None
    queue_url: SecretStr | None = None
    audit_anchor_url: SecretStr | None = None
    media_url: SecretStr = SecretStr("file://var/media")
    secret_key: SecretStr | None = None
    data_key: SecretStr | None = None
    data_key_previous: SecretStr | None = None
    public_url: str = "http://127.0.0.1:8000"
    console_url: str | None = None
    bind: str = "127.0.0.1:8000"
    metrics_bind: str = "127.0.0.1:9100"
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()

    transfer_poll_seconds: float = Field(600, gt=0, allow_inf_nan=False)
    handover_lead_hours: float = Field(72, ge=0, allow_inf_nan=False)
    callback_window_hours: float = Field(2400, gt=0, le=100_000, allow_inf_nan=False)
    inbox_retry_seconds: Annotated[tuple[float, ...], NoDecode] = (1, 5, 30, 120, 600)
    inbox_give_up_hours: float = Field(168, gt=0, allow_inf_nan=False)
    inbox_archive_after_days: float = Field(90, ge=1, le=36_500, allow_inf_nan=False)
    welcome_parallel: int = Field(64, gt=0)
    api_parallel: int = Field(5, gt=0)
    api_per_second: float = Field(20, gt=0, allow_inf_nan=False)
    operators: Annotated[tuple[str, ...], NoDecode] = ()
    default_capacity: int | None = Field(None, ge=0)
    timezone: str = "Asia/Shanghai"
    welcome_after_transfer: bool = False
    own_processor: bool = True
    session_hours: float = Field(12, gt=0, le=168, allow_inf_nan=False)
    session_idle_minutes: float = Field(60, gt=0, le=1440, allow_inf_nan=False)
    phones_per_hour: int = Field(30, ge=1)
    session_most: int = Field(10, ge=1, le=1000)
    sandbox: bool = False
    log_level: str = "INFO"

    @field_validator("operators", "trusted_proxies", "inbox_retry_seconds", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            try:
                ipaddress.ip_network(one)
            except ValueError as error:
                raise ValueError("addresses are needed, or networks as 10.0.0.0/8") from error
        return value

    @field_validator("inbox_retry_seconds")
    @classmethod
    def _some_delay(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or not all(0 <= delay < math.inf for delay in value):
            raise ValueError("one delay at least, none below zero")
        return value

    @field_validator("callback_aes_key", "contacts_callback_aes_key", "archive_callback_aes_key")
    @classmethod
    def _aes_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9]{43}", value.get_secret_value()):
            raise ValueError("an EncodingAESKey has 43 letters and digits")
        return value

    @field_validator("data_key", "data_key_previous")
    @classmethod
    def _data_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                size = len(base64.urlsafe_b64decode(value.get_secret_value()))
            except (binascii.Error, ValueError):
                size = 0
            if size != 32:
                raise ValueError("32 bytes as base64url are needed")
        return value

    @field_validator(
        "public_url",
        "console_url",
        "wecom_api_base",
        "wecom_oauth_base",
        "wecom_login_base",
        "wecom_jssdk_url",
    )
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and not ADDRESS.fullmatch(value):
            raise ValueError("an address is needed, as https://kegui.example.com:8443")
        return value

    @field_validator("metrics_bind")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        if value and not re.fullmatch(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}", value):
            raise ValueError("HOST:PORT is needed, or nothing at all")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("not a known time zone") from error
        return value

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.upper() not in LOG_LEVELS:
            raise ValueError(f"one of {', '.join(LOG_LEVELS)} is needed")
        return value.upper()

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def lets_anybody_in(self) -> bool:
        """Whether people choose who they are: beside the sandbox, never before WeCom itself."""
        return self.sandbox and urlsplit(self.wecom_api_base).hostname != WECOM_HOST

    @property
    def console_address(self) -> str:
        """How people reach the console: often another host than the one WeCom knows."""
        return (self.console_url or self.public_url).rstrip("/")

    @property
    def is_reached_from_other_machines(self) -> bool:
        """Whether the web process listens where more than this machine can reach it."""
        host = self.bind.rpartition(":")[0].strip("[]")
        if self.bind.startswith("unix:") or host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(host).is_loopback
        except ValueError:
            return True

    @property
    def own_addresses(self) -> tuple[str, str]:
        """Under which addresses people's pages are ours, the one where logins begin first."""
        return self.console_address, self.public_url.rstrip("/")

    @property
    def handover_lead(self) -> timedelta:
        return timedelta(hours=self.handover_lead_hours)

    @property
    def archive_alarm_after(self) -> timedelta:
        return timedelta(hours=self.archive_alarm_hours)

    @property
    def inbox_archive_after(self) -> timedelta:
        return timedelta(days=self.inbox_archive_after_days)

    @property
    def callback_window(self) -> timedelta:
        """How far the moment that WeCom signed may lie from ours, on either side.

        Generous: a repeated event is one row in any case, and what was captured gives nothing away
        (``no_echo``). So it need only end what is very old, and must never cost a customer: not
        with a wrong clock, nor in a trial whose platform lets months pass at once.
        """
        return timedelta(hours=self.callback_window_hours)

    def callback_keys(self, door: Door) -> tuple[str, str] | None:
        """Token and EncodingAESKey of a door; the customer door's serve where it has none."""
        token = getattr(self, f"{door}_callback_token", None) or self.callback_token
        aes_key = getattr(self, f"{door}_callback_aes_key", None) or self.callback_aes_key
        if token is None or aes_key is None:
            return None
        return token.get_secret_value(), aes_key.get_secret_value()

    def missing(self) -> list[str]:
        """The settings without which workers wait, by their environment names."""
        needed = {
            "CORP_ID": self.corp_id,
            "AGENT_ID": self.agent_id,
            "APP_SECRET": self.app_secret,
            "CALLBACK_TOKEN": self.callback_token,
            "CALLBACK_AES_KEY": self.callback_aes_key,
            "DATA_KEY": self.data_key,
            "SECRET_KEY": self.secret_key,
        }
        return [PREFIX + name for name, value in needed.items() if value in (None, "")]


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment, or from a mapping of the same names.

    Raises:
        SettingsError: names every malformed setting and every unreadable file at once.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    source = os.environ if environment is None else environment
    for name in Settings.model_fields:
        variable = PREFIX + name.upper()
        if path := source.get(variable + "_FILE"):
            try:
                content = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as error:
                why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
                problems.append(f"{variable}_FILE: the file cannot be read ({why})")
                continue
            if content:
                values[name] = content
        elif source.get(variable) or (name in MAY_BE_EMPTY and variable in source):
            values[name] = source[variable]
    try:
        settings = _FromMapping(**values)
    except ValidationError as error:
        problems += [
            f"{PREFIX}{str(entry['loc'][0]).upper()}: {entry['msg']}" for entry in error.errors()
        ]
        raise SettingsError(problems) from None
    if problems:
        raise SettingsError(problems)
    return settings


class _FromMapping(Settings):
    """Settings that come from the given values alone: ``load`` has read the environment."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)
