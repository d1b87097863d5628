"""Why a customer was given to a member: the decision as it was taken, and the rules that stood."""

import json
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self, cast

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BlobField,
    CharField,
    IntegerField,
    JSONField,
    TextField,
    fn,
)

from bot.db import Model, UTCDateTimeField
from bot.models.naming import MemberField
from bot.reason import CODE_LENGTH, ReasonColumns

ALLOCATION = "allocation"

DRAFT, SUBMITTED, APPROVED, REJECTED = "draft", "submitted", "approved", "rejected"
# What decides now; what did until another was released; what was taken back.
RELEASED, SUPERSEDED, ROLLED_BACK = "released", "superseded", "rolled_back"
FROM_FILE = "file"

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"


class RuleSet(Model):
    """One version of the rules, as it was written: ``body`` never changes.

    ``number`` counts the versions of a kind, ``label`` is the file's own ``version``. ``source``:
    the file of the installation, the console, or the API.
    """

    id = BigAutoField()
    kind = CharField(max_length=32)
    number = IntegerField()
    label = CharField(max_length=32)
    body = TextField()
    body_sha256 = CharField(max_length=64)
    source = CharField(max_length=16)
    state = CharField(max_length=16, index=True)
    drafted_by = MemberField(max_length=160)
    drafted_at = UTCDateTimeField()
    released_by = MemberField(max_length=160, null=True)
    released_at = UTCDateTimeField(null=True)
    ended_at = UTCDateTimeField(null=True)

    class Meta:
        indexes = ((("kind", "number"), True),)

    @classmethod
    def released(cls, kind: str) -> Self | None:
        """Return the one that decides now."""
        return cls.get_or_none(cls.kind == kind, cls.state == RELEASED)


# One at a time decides, guarded by the database itself.
RuleSet.add_index(
    RuleSet.index(
        RuleSet.kind, unique=True, name="ruleset_one_released", where=SQL("state = 'released'")
    )
)


class DryRun(Model):
    """A rule set tried on past arrivals, in the background; it changes nothing else.

    Whoever works on it holds it until ``claimed_until``; ``result`` is what it found.
    """

    id = BigAutoField()
    rule_set_id = BigIntegerField(index=True)
    since = UTCDateTimeField()
    until = UTCDateTimeField()
    state = CharField(max_length=16, default=WAITING, index=True)
    asked_by = MemberField(max_length=160)
    asked_at = UTCDateTimeField()
    claimed_until = UTCDateTimeField(null=True)
    tried = IntegerField(default=0)
    finished_at = UTCDateTimeField(null=True)
    error = TextField(null=True)
    result = JSONField(null=True)


class Allocation(Model):
    """One decision: the rule and its version, and all that it was given, to be decided again.

    ``arrival`` is what was known of the customer; ``explained`` the candidates, and the members as
    they were, packed: see ``explanation``.
    """

    id = BigAutoField()
    event_id = BigIntegerField(null=True, unique=True)
    external_userid = CharField(max_length=64, index=True)
    added_userid = MemberField(max_length=64)
    channel = CharField(max_length=64, default="")
    owner = MemberField(max_length=64, null=True)
    outcome = CharField(max_length=24)
    rule = CharField(max_length=128, null=True)
    rule_set_id = BigIntegerField(null=True)
    rules_version = CharField(max_length=32)
    seed = BigIntegerField(default=0)
    reason_code = CharField(max_length=CODE_LENGTH)
    reason_facts = JSONField(default=dict)
    reason = ReasonColumns()
    arrival = JSONField(default=dict)
    explained = BlobField(null=True)
    decided_at = UTCDateTimeField()

    class Meta:
        indexes = (
            (("decided_at", "owner"), False),
            (("rule", "owner", "decided_at"), False),
        )

    @property
    def explanation(self) -> dict[str, Any]:
        """What was kept of the decision; nothing where no rule was asked."""
        if self.explained is None:
            return {}
        unpacked: dict[str, Any] = json.loads(zlib.decompress(bytes(self.explained)))
        return unpacked

    @property
    def candidates(self) -> list[dict[str, Any]]:
        """The candidates of the rule as they stood, and what excluded those who were."""
        found: list[dict[str, Any]] = self.explanation.get("candidates", [])
        return found

    @classmethod
    def received_since(cls, moment: datetime) -> dict[str, int]:
        """Count the customers whom each member was given from a moment on."""
        query = (
            cls.select(cls.owner, fn.COUNT(cls.id))
            .where(cls.decided_at >= moment, cls.owner.is_null(False), cls.outcome != "kept")
            .group_by(cls.owner)
        )
        return dict(cast(Any, query.tuples()))

    @classmethod
    def last_turns(cls, rule: str, since: datetime) -> dict[str, datetime]:
        """Return when each member was given the last customer by a rule, from a moment on."""
        query = (
            cls.select(cls.owner, fn.MAX(cls.decided_at))
            .where(cls.rule == rule, cls.owner.is_null(False), cls.decided_at >= since)
            .group_by(cls.owner)
        )
        rows = cast(Any, query.tuples())
        return {userid: cast(Any, cls.decided_at).python_value(at) for userid, at in rows}


def packed(explanation: Mapping[str, Any]) -> bytes:
    """Return an explanation as ``Allocation.explained`` keeps it."""
    text = json.dumps(explanation, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return zlib.compress(text.encode())
