"""Authenticator apps: time-based codes (RFC 6238), each of which counts once."""

import hmac

import pyotp

from bot import clock
from bot.audit.log import Who
from bot.db import transaction
from bot.kegui import Kegui
from bot.models import SecondFactor
from bot.models.data_key import SECOND_FACTOR
from bot.vault import Vault

ISSUER = "客规 Kegui"
STEP_SECONDS = 30
# A phone's clock may be a step away from ours.
STEPS_AROUND = 1


def prepare(actor: str, vault: Vault) -> str:
    """Make a new secret that counts once it is confirmed; returns it in base32.

    Raises:
        IntegrityError: the person has an app that is confirmed: it must be removed first.
    """
    secret = pyotp.random_base32()
    with transaction():
        before = SecondFactor.get_or_none(SecondFactor.actor == actor)
        if before is not None and (before.confirmed_at is None or not before.is_genuine):
            before.delete_instance()
        SecondFactor.create(
            actor=actor,
            secret=vault.seal(SECOND_FACTOR, actor, secret.encode()),
            created_at=clock.now(),
        )
    return secret


def pending_secret(actor: str, vault: Vault) -> str | None:
    """Return the secret that waits to be confirmed."""
    row = _app(actor, is_confirmed=False)
    return None if row is None else vault.open(SECOND_FACTOR, actor, bytes(row.secret)).decode()


def address(actor: str, secret: str) -> str:
    """Return what the app reads from the QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=actor, issuer_name=ISSUER)


def confirm(actor: str, code: str, by: Who, kegui: Kegui) -> bool:
    """Take the first code of the app as the proof that it works."""
    with transaction():
        if not _takes(actor, code, kegui.vault, is_confirmed=False):
            return False
        SecondFactor.change(SecondFactor.actor == actor, confirmed_at=clock.now())
        kegui.audit.record(by, "second_factor.confirm", actor)
    return True


def remove(actor: str, by: Who, kegui: Kegui) -> bool:
    """Forget somebody's app; False when there is none."""
    with transaction():
        removed = SecondFactor.delete().where(SecondFactor.actor == actor).execute()
        if removed:
            kegui.audit.record(by, "second_factor.remove", actor)
    return bool(removed)


def has_one(actor: str) -> bool:
    """Whether the person's app is confirmed."""
    return _app(actor, is_confirmed=True) is not None


def proves(actor: str, code: str, vault: Vault) -> bool:
    """Whether the code is the person's, now, and was not used before."""
    return _takes(actor, code, vault, is_confirmed=True)


def _takes(actor: str, code: str, vault: Vault, *, is_confirmed: bool) -> bool:
    row = _app(actor, is_confirmed=is_confirmed)
    if row is None:
        return False
    generator = pyotp.TOTP(vault.open(SECOND_FACTOR, actor, bytes(row.secret)).decode())
    given = code.replace(" ", "").encode()
    now = int(clock.now().timestamp()) // STEP_SECONDS
    for step in range(now - STEPS_AROUND, now + STEPS_AROUND + 1):
        expected = generator.generate_otp(step).encode()
        if step > row.last_step and hmac.compare_digest(expected, given):
            # Whoever looked over the shoulder comes too late: of two only one moves the step on.
            return bool(
                SecondFactor.update(last_step=step)
                .where(SecondFactor.actor == actor, SecondFactor.last_step < step)
                .execute()
            )
    return False


def _app(actor: str, *, is_confirmed: bool) -> SecondFactor | None:
    row: SecondFactor | None = SecondFactor.get_or_none(
        SecondFactor.actor == actor, SecondFactor.confirmed_at.is_null(not is_confirmed)
    )
    return row if row is not None and row.is_genuine else None
