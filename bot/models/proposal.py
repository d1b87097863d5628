"""Maker and checker: what one person proposes and another decides."""

from peewee import SQL, BigAutoField, CharField, Check, JSONField, TextField

from bot.db import Model, UTCDateTimeField

OPEN = "open"
APPROVED = "approved"
REJECTED = "rejected"
WITHDRAWN = "withdrawn"

# A system that proposes and decides was given both by whoever made its token; a person never is.
TWO_PEOPLE = (
    "state IN ('open', 'withdrawn') OR decided_by IS NOT NULL"
    " AND (decided_by <> proposed_by OR substr(proposed_by, 1, 4) = 'api:')"
)
# The same of those who stand behind both: what is not known, or does not exist, equals nobody.
TWO_HUMANS = (
    "state IN ('open', 'withdrawn') OR proposer <> decider AND proposer <> decider_too"
    " AND proposer_too <> decider AND proposer_too <> decider_too"
)


class Proposal(Model):
    """``kind`` says what happens when it is approved, ``subject`` to whom, ``terms`` how.

    ``proposer`` and ``decider`` are the people behind ``proposed_by`` and ``decided_by``; behind a
    token may be a second one, its maker. A system has none.
    """

    id = BigAutoField()
    kind = CharField(max_length=64)
    subject = CharField(max_length=160)
    terms = JSONField(default=dict)
    state = CharField(max_length=16, default=OPEN, index=True)
    proposed_by = CharField(max_length=160)
    proposer = CharField(max_length=160, null=True)
    proposer_too = CharField(max_length=160, null=True)
    proposed_at = UTCDateTimeField()
    reason = TextField(default="")
    decided_by = CharField(max_length=160, null=True)
    decider = CharField(max_length=160, null=True)
    decider_too = CharField(max_length=160, null=True)
    decided_at = UTCDateTimeField(null=True)
    decision_reason = TextField(default="")

    class Meta:
        constraints = (
            Check(TWO_PEOPLE, name="proposal_two_people"),
            Check(TWO_HUMANS, name="proposal_two_humans"),
        )


Proposal.add_index(
    Proposal.index(
        Proposal.kind,
        Proposal.subject,
        unique=True,
        name="proposal_one_open",
        where=SQL("state = 'open'"),
    )
)
