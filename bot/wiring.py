"""Wire a process together: database, queue, vault and WeCom from the settings."""

from pydantic import SecretStr

from bot import db, metrics
from bot.kegui import Kegui
from bot.models import DataKey
from bot.models.granting import PURPOSE, mac_key
from bot.queue import Queue
from bot.vault import Vault
from bot.wecom import Budgets, SecretName, Transport, WeCom
from bot.wecom.stores import DatabasePauseStore, DatabaseTokenStore
from config.settings import Settings


def connect(settings: Settings) -> None:
    """Make the settings' database and key of MACs those that models use; nothing is read yet."""
    db.connect(settings.database_url.get_secret_value())
    if settings.data_key is not None:
        vault = open_vault(settings)
        mac_key.use(lambda: vault.key(PURPOSE))


def open_vault(settings: Settings) -> Vault:
    """Make the vault over the data keys of the settings' database; nothing is read yet.

    Raises:
        ValueError: ``KEGUI_DATA_KEY`` is not set.
    """
    if settings.data_key is None:
        raise ValueError("KEGUI_DATA_KEY is not set")
    previous = settings.data_key_previous
    return Vault(
        settings.data_key.get_secret_value(),
        previous.get_secret_value() if previous else None,
        DataKey.all_wrapped,
    )


def make_kegui(settings: Settings) -> Kegui:
    """Make what a complete process holds; ``settings.missing()`` must be empty."""
    vault = open_vault(settings)
    return Kegui(
        settings=settings,
        wecom=_wecom(settings, vault),
        queue=Queue(queue_url(settings)),
        vault=vault,
    )


def queue_url(settings: Settings) -> str:
    """The queue's own address, or the database's."""
    return (settings.queue_url or settings.database_url).get_secret_value()


def known_secrets(settings: Settings) -> dict[SecretName, str]:
    """Return the secrets that are set."""
    known: dict[SecretName, SecretStr | None] = {
        "app": settings.app_secret,
        "contacts": settings.contacts_secret,
        "archive": settings.archive_secret,
    }
    return {name: secret.get_secret_value() for name, secret in known.items() if secret}


def _wecom(settings: Settings, vault: Vault) -> WeCom:
    transport = Transport(
        corp_id=settings.corp_id,
        secrets=known_secrets(settings),
        api_base=settings.wecom_api_base,
        tokens=DatabaseTokenStore(vault),
        pauses=DatabasePauseStore(),
        budgets=Budgets(
            welcome_parallel=settings.welcome_parallel,
            parallel=settings.api_parallel,
            per_second=settings.api_per_second,
        ),
        on_call=metrics.count_call,
    )
    return WeCom(transport, settings.agent_id)
