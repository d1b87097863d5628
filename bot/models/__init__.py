"""Models remember: one file per noun; a table is one of Kegui's by its import here."""

from bot.db import Model
from bot.models.alarm import Alarm
from bot.models.allocation import Allocation, DryRun, RuleSet
from bot.models.api_access import ApiToken, IdempotencyKey
from bot.models.archive import (
    ArchiveAnchor,
    ArchiveConversation,
    ArchiveDayKey,
    ArchiveFile,
    ArchiveMedia,
    ArchiveMessage,
    ArchiveParticipant,
    ArchiveSilence,
    ArchiveState,
)
from bot.models.audit import (
    AuditAnchor,
    AuditCheck,
    AuditEnd,
    AuditEntry,
    AuditSeal,
    AuditSealed,
    AuditWriter,
)
from bot.models.conflict import Conflict
from bot.models.consent import Consent
from bot.models.contact_way import ContactWay
from bot.models.customer import Customer, Ownership, Relation
from bot.models.data_key import DataKey
from bot.models.effect import Effect
from bot.models.group_chat import GroupChat
from bot.models.handover import Handover, HandoverItem, HandWork, TransferAttempt
from bot.models.inbox_event import InboxArchive, InboxEvent, InboxHistory
from bot.models.job_run import JobRun, PlannedJob
from bot.models.lease import Lease
from bot.models.login import LocalUser, Login, LoginFailure, SecondFactor
from bot.models.metric_count import MetricCount
from bot.models.notice import GapDigest, Notice
from bot.models.proposal import Proposal
from bot.models.role_grant import RoleGrant
from bot.models.staff import Department, FormerUserid, Staff, StaffDepartment
from bot.models.sync_run import SyncCount, SyncFinding, SyncProgress, SyncRun
from bot.models.wecom_state import AccessToken, EndpointPause, EndpointRefusal

# Of all that is imported above: what is asked of every table needs no second list.
TABLES: tuple[type[Model], ...] = tuple(
    one
    for one in list(globals().values())
    if isinstance(one, type) and issubclass(one, Model) and one not in (Model, InboxHistory)
)
