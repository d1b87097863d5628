"""Access tokens: one secret, one kind, two hours (path 91039)."""

import secrets

from bot.sandbox.errors import Refusal
from bot.sandbox.state import Grant, World

WRONG_SECRET, WRONG_CORP, BANNED = 40001, 40013, 45009


def get(world: World, corp_id: str, secret: str, address: str) -> tuple[str, int]:
    """Return (token, seconds it still lives).

    Raises:
        Refusal: 40013, 40001, 50003; 45009 for an hour after repeated wrong secrets, which bans
            the address whatever it asks with.
    """
    if world.banned_until.get(address, 0) > world.now():
        raise Refusal(BANNED)
    if corp_id != world.corp_id:
        raise Refusal(WRONG_CORP)
    app = next((one for one in world.apps if one.secret == secret), None)
    if app is None:
        _count_wrong_secret(world, address)
        raise Refusal(WRONG_SECRET)
    world.wrong_secrets.pop(address, None)
    if not app.enabled:
        raise Refusal(50003)
    living = [
        (token, grant)
        for token, grant in world.grants.items()
        if grant.app is app and not grant.revoked and grant.expires_at > world.now()
    ]
    if living and world.switches.same_token:
        token, grant = living[-1]
        return token, max(1, int(grant.expires_at - world.now()))
    if world.switches.new_token_ends_old:
        for _, grant in living:
            grant.revoked = True
    token = secrets.token_urlsafe(96)
    world.grants[token] = Grant(app, world.now() + world.switches.token_seconds)
    return token, int(world.switches.token_seconds)


def _count_wrong_secret(world: World, address: str) -> None:
    wrong = world.wrong_secrets[address] = world.wrong_secrets.get(address, 0) + 1
    if wrong >= world.switches.wrong_secrets_before_ban:
        world.banned_until[address] = world.now() + world.switches.ban_seconds
        world.wrong_secrets.pop(address)


def check(world: World, token: str) -> Grant:
    """Return what a token stands for.

    Raises:
        Refusal: 41001 missing, 40014 unknown or ended early, 42001 expired, 50003 app disabled.
    """
    if not token:
        raise Refusal(41001)
    grant = world.grants.get(token)
    if grant is None or grant.revoked:
        raise Refusal(40014)
    if grant.expires_at <= world.now():
        raise Refusal(42001)
    if not grant.app.enabled:
        raise Refusal(50003)
    return grant


def revoke(world: World, kind: str) -> int:
    """End the tokens of a kind early (empty: all); return how many."""
    ended = 0
    for grant in world.grants.values():
        if not grant.revoked and kind in ("", grant.app.kind):
            grant.revoked = True
            ended += 1
    return ended
