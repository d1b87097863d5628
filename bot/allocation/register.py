"""What allocation registers: its decisions."""

from bot.allocation.words import ACTS, WORDS
from bot.api import allocations
from bot.capability import Capability

CAPABILITY = Capability(
    "allocation",
    words=WORDS,
    acts=ACTS,
    endpoints=(allocations.blueprint,),
)
