"""Groups of the `kegui` command that have several words."""

from bot.commands.audit import audit
from bot.commands.token import token
from bot.commands.user import user

GROUPS = (token, user, audit)

__all__ = ["GROUPS"]
