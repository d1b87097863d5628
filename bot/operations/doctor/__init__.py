"""The doctor examines an installation: every check stands alone and only reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from peewee import PeeweeException
from playhouse.pool import MaxConnectionsExceeded

from bot.operations.doctor import configuration, doors, platform, storage
from bot.operations.doctor.findings import OK, Finding, not_checked
from bot.operations.doctor.pauses import DoctorsPauses
from bot.operations.doctor.storage import Processes
from bot.wecom import Budgets, PauseStore, SecretName, TokenStore, Transport, WeCom
from bot.wecom.errors import GETTOKEN
from bot.wecom.pauses import MemoryPauseStore
from bot.wecom.stores import DatabasePauseStore, DatabaseTokenStore
from bot.wecom.tokens import MemoryTokenStore
from bot.wecom.transport import VARIABLES
from bot.wiring import known_secrets, open_vault
from config.settings import Door, Settings

GREETING = "客规体检：收到本消息说明应用消息可以送达。"


@dataclass(frozen=True)
class Options:
    """``send_to``: send one message to this member; ``retry_secrets``: a secret was corrected."""

    send_to: str = ""
    retry_secrets: bool = False
    processes: Processes = field(default_factory=Processes)


def examine(environment: Mapping[str, str], options: Options) -> list[Finding]:
    """Check an installation from its environment; never raises for what it finds.

    Raises:
        SettingsError: the settings are malformed in a way that hides which of them are.
    """
    settings, malformed = configuration.load_what_is_well_formed(environment)
    found = [
        configuration.check_settings(settings, malformed),
        configuration.check_keys(settings),
        configuration.check_sandbox(settings, environment),
        configuration.check_tables(),
        configuration.check_proxy(settings),
        *storage.check_database(settings, options.processes),
        storage.check_vault(settings),
        storage.check_queue(settings),
        storage.check_roles(),
    ]
    found += _examine_wecom(settings, found, options)
    found.append(doors.check_public_url(settings))
    found += [doors.check_door(settings, door) for door in get_args(Door)]
    found.append(doors.check_domain_file(settings))
    return found


def _examine_wecom(settings: Settings, before: list[Finding], options: Options) -> list[Finding]:
    found = platform.check_reachable(settings.wecom_api_base)
    shared_is_usable = {
        finding.check: finding.status == OK
        for finding in before
        if finding.check in ("database", "migrations", "data key")
    }
    pauses: PauseStore = MemoryPauseStore()
    tokens: TokenStore = MemoryTokenStore()
    if shared_is_usable["migrations"]:
        pauses = DatabasePauseStore()
        if shared_is_usable["data key"] and settings.data_key is not None:
            tokens = DatabaseTokenStore(open_vault(settings))
    careful = DoctorsPauses(pauses, options.retry_secrets)
    transport = Transport(
        corp_id=settings.corp_id,
        secrets=known_secrets(settings),
        api_base=settings.wecom_api_base,
        tokens=tokens,
        pauses=careful,
        budgets=Budgets(parallel=1, per_second=settings.api_per_second),
    )
    wecom = WeCom(transport, settings.agent_id)
    token: dict[SecretName, Finding] = {}
    for name in get_args(SecretName):
        if any(one.problem == "wrong_corp_id" for one in token.values()):
            token[name] = not_checked(f"{name} token", "KEGUI_CORP_ID")
        else:
            token[name] = _token(settings, name, found, wecom, careful, options)
    found = [*found, *token.values()]
    if token["app"].status == OK:
        found += platform.AppChecks(wecom, settings.agent_id, settings.operators).run()
    else:
        found += [not_checked(name, "app token") for name in ("address", *platform.APP_CHECKS)]
    found.append(_message(settings, token["app"], wecom, options))
    others: tuple[SecretName, ...] = ("contacts", "archive")
    return [*found, *(platform.check_other_secret(wecom, name, token[name]) for name in others)]


def _token(
    settings: Settings,
    name: SecretName,
    before: list[Finding],
    wecom: WeCom,
    pauses: PauseStore,
    options: Options,
) -> Finding:
    """One gettoken for each secret; none that must fail: repeated wrong ones ban our address."""
    check = f"{name} token"
    if not settings.corp_id:
        return not_checked(check, "KEGUI_CORP_ID")
    if not known_secrets(settings).get(name):
        return not_checked(check, VARIABLES[name])
    if before[0].status != OK:
        return not_checked(check, "platform")
    try:
        found = platform.check_token(wecom, name)
        if found.status == OK and options.retry_secrets:
            pauses.clear(name, GETTOKEN)
    except (PeeweeException, MaxConnectionsExceeded):
        return not_checked(check, "database")
    return found


def _message(settings: Settings, token: Finding, wecom: WeCom, options: Options) -> Finding:
    if not options.send_to:
        return not_checked("message", "--send-to USERID")
    if token.status != OK or settings.agent_id is None:
        return not_checked("message", "app token, KEGUI_AGENT_ID")
    return platform.check_message(wecom, options.send_to, GREETING)
