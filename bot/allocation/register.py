"""What allocation registers: its decisions."""

from bot.api import allocations
from bot.capability import Capability

CAPABILITY = Capability(
    "allocation",
    endpoints=(allocations.blueprint,),
)
