"""Who may call the REST API, and what was answered to repeated calls."""

from peewee import (
    BigAutoField,
    CharField,
    IntegerField,
    JSONField,
    TextField,
)

from bot.db import Model, UTCDateTimeField
from bot.models.granting import Granting
from bot.models.naming import MemberField


class ApiToken(Granting):
    """A bearer token; only its digest is kept.

    ``owner`` answers for it, ``maker`` made it: with either who has left, the token ends. Before
    ``consented_at`` it calls nothing: another was named as its owner, and has not said yes.
    Of ``departments`` and those below the token reads content; none: of the whole firm.
    ``expires_at`` null: made before tokens expired; ``maker`` empty: before makers were kept.
    """

    UNSIGNED = frozenset({"last_used_at"})

    id = BigAutoField()
    name = CharField(max_length=128)
    digest = CharField(max_length=64, unique=True)
    scopes = JSONField(default=list)
    created_at = UTCDateTimeField()
    revoked_at = UTCDateTimeField(null=True)
    owner = MemberField(max_length=160, default="")
    maker = MemberField(max_length=160, default="")
    consented_at = UTCDateTimeField(null=True)
    expires_at = UTCDateTimeField(null=True)
    last_used_at = UTCDateTimeField(null=True)
    departments = JSONField(default=list)


class IdempotencyKey(Model):
    """A call or a form that does once what it asks for, however often it is sent.

    ``caller`` is the token that called, or ``form``. A POST with an Idempotency-Key runs while
    ``status`` is null; of a form, ``key`` is what the page gave to it when it was shown.
    ``request_key`` goes to what the call opens: the next try finds it there when the process died
    before it could answer.
    """

    id = BigAutoField()
    caller = CharField(max_length=32)
    path = CharField(max_length=255)
    key = CharField(max_length=255)
    body_sha256 = CharField(max_length=64)
    request_key = CharField(max_length=64)
    status = IntegerField(null=True)
    answer = TextField(null=True)
    created_at = UTCDateTimeField()

    class Meta:
        indexes = ((("caller", "path", "key"), True),)
