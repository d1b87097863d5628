"""Groups of the `kegui` command that have several words."""

from bot.commands.archive import archive
from bot.commands.audit import audit
from bot.commands.keys import keys
from bot.commands.rules import rules
from bot.commands.token import token
from bot.commands.user import user

GROUPS = (token, user, audit, archive, keys, rules)

__all__ = ["GROUPS"]
