"""Columns that name a member: they follow when WeCom gives the member another userid."""

from peewee import CharField, JSONField


class MemberField(CharField):
    """A userid, or what stands for somebody who may have one."""


class MembersField(JSONField):
    """JSON that names members: a list of userids, or facts of a reason."""
