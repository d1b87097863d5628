"""What backup registers: the words for its acts."""

from bot.backup.words import ACTS
from bot.capability import Capability

CAPABILITY = Capability(
    "backup",
    acts=ACTS,
)
