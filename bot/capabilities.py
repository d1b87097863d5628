"""All that Kegui does: a line for each capability, read by worker, clock, API and console."""

from collections.abc import Sequence

from bot import reason
from bot.allocation.register import CAPABILITY as ALLOCATION
from bot.archive.register import CAPABILITY as ARCHIVE
from bot.audit.register import CAPABILITY as AUDIT
from bot.backup.register import CAPABILITY as BACKUP
from bot.capability import Capability, Job, Words
from bot.channels.register import CAPABILITY as CHANNELS
from bot.consent.register import CAPABILITY as CONSENT
from bot.customers.register import CAPABILITY as CUSTOMERS
from bot.handover.register import CAPABILITY as HANDOVER
from bot.identity.register import CAPABILITY as IDENTITY
from bot.inbox.register import CAPABILITY as INBOX
from bot.operations.register import CAPABILITY as OPERATIONS
from bot.reports.register import CAPABILITY as REPORTS
from bot.rights import Right
from bot.staff.register import CAPABILITY as STAFF
from bot.sync.register import CAPABILITY as SYNC

CAPABILITIES: Sequence[Capability] = (
    INBOX,
    AUDIT,
    IDENTITY,
    STAFF,
    CHANNELS,
    CUSTOMERS,
    HANDOVER,
    CONSENT,
    ALLOCATION,
    SYNC,
    ARCHIVE,
    OPERATIONS,
    BACKUP,
    REPORTS,
)

WORDS: Words = {topic: words for one in CAPABILITIES for topic, words in one.words.items()}
RIGHTS: Sequence[Right] = tuple(right for one in CAPABILITIES for right in one.rights)
JOBS: Sequence[Job] = tuple(job for one in CAPABILITIES for job in one.jobs)

for one in CAPABILITIES:
    reason.learn(one.reasons)
