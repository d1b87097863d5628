"""What all processes share about speaking with WeCom: tokens, pauses, refusals."""

from peewee import BlobField, CharField, IntegerField, TextField

from bot.db import Model, UTCDateTimeField


class AccessToken(Model):
    """The one access token of a secret, sealed."""

    secret_name = CharField(max_length=16, primary_key=True)
    sealed = BlobField(null=True)
    expires_at = UTCDateTimeField(null=True)


class EndpointPause(Model):
    """Nobody calls this endpoint with this secret until ``until``; then one call tries, and the
    row goes when that went well. ``probe_until``: somebody is trying now."""

    name = CharField(max_length=128, primary_key=True)
    secret_name = CharField(max_length=16)
    endpoint = CharField(max_length=96)
    until = UTCDateTimeField()
    reason = TextField()
    errcode = IntegerField(null=True)
    since = UTCDateTimeField(null=True)
    failures = IntegerField(default=0)
    probe_until = UTCDateTimeField(null=True)


class EndpointRefusal(Model):
    """With this secret the endpoint has refused ``records`` different records one after the other,
    and served nobody since."""

    name = CharField(max_length=128, primary_key=True)
    endpoint = CharField(max_length=96)
    errcode = IntegerField(null=True)
    records = IntegerField()
    since = UTCDateTimeField()
