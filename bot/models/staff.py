"""Staff and departments, as WeCom last showed them, and what managers set for them."""

from collections.abc import Collection, Mapping
from datetime import datetime

from peewee import BooleanField, CharField, CompositeKey, IntegerField, JSONField, chunked, fn

from bot.db import Model, UTCDateTimeField
from bot.models.naming import MemberField, MembersField

ACTIVE = 1
LEFT = 5
# Below what one statement of either database may hold.
AT_ONCE = 500


class Department(Model):
    id = IntegerField(primary_key=True)
    name = CharField(max_length=255, default="")
    parent_id = IntegerField(default=0)
    leaders = MembersField(default=list)


LONGEST_USERID = 64


class Staff(Model):
    """A member of the corporation.

    ``serves`` says that WeCom gives the member 客户联系; ``status`` is WeCom's own (1 active,
    2 disabled, 4 not activated, 5 left); the rest is ours. ``licences`` are rows of kind, number,
    valid_from and valid_to (days or null), ``availability`` rows of from, to (days of the firm's
    clock, or moments) and kind, see bot.staff.duty; ``on_duty`` and ``on_leave`` hold until
    somebody changes them. ``daily_quota``: so many new customers a day. Whoever was offboarded and
    came back did so at ``returned_at``.
    """

    userid = CharField(max_length=LONGEST_USERID, primary_key=True)
    name = CharField(max_length=255, default="")
    departments = JSONField(default=list)
    main_department = IntegerField(null=True)
    direct_leader = MemberField(max_length=64, null=True)
    status = IntegerField(default=ACTIVE)
    serves = BooleanField(default=False)
    left_at = UTCDateTimeField(null=True)
    returned_at = UTCDateTimeField(null=True)
    capacity = IntegerField(null=True)
    daily_quota = IntegerField(null=True)
    licences = JSONField(default=list)
    skills = JSONField(default=list)
    availability = JSONField(default=list)
    on_duty = BooleanField(default=True)
    on_leave = BooleanField(default=False)
    seen_at = UTCDateTimeField()

    @property
    def is_here(self) -> bool:
        return self.left_at is None and self.status == ACTIVE

    @classmethod
    def is_known(cls, userid: str) -> bool:
        """Whether there is such a member, however spelled."""
        alike = fn.LOWER(cls.userid) == userid.lower()
        return any(cls.get_or_none(which) for which in (cls.userid == userid, alike))

    @classmethod
    def spelled(cls, userid: str) -> str:
        """Return one userid as it is written here, see ``spellings``."""
        return cls.spellings([userid])[userid]

    @classmethod
    def each_spelled(cls, userids: Collection[str]) -> list[str]:
        """Return these userids as they are written here: two spellings of a member are one."""
        return list(dict.fromkeys(cls.spellings(userids).values()))

    @classmethod
    def spellings(cls, userids: Collection[str]) -> dict[str, str]:
        """Return how each of these userids is written here; one that nobody has stays as it is.

        WeCom does not tell upper from lower case in a userid, and some answers have it in lower
        case (customer_contact_api 12). Here it is a key, so whatever comes from outside is looked
        up before it is used.
        """
        found = {userid: userid for userid in userids}
        rest = set(found)
        for some in chunked(userids, AT_ONCE):
            rest -= {row.userid for row in cls.select(cls.userid).where(cls.userid.in_(some))}
        for few in chunked(sorted(rest), AT_ONCE):
            lowered = [userid.lower() for userid in few]
            alike = cls.select(cls.userid).where(fn.LOWER(cls.userid).in_(lowered))
            # Of two alike the first, in an order that no database's collation changes.
            known = sorted((row.userid for row in alike), reverse=True)
            ours = FormerUserid.now_called(few) | {userid.lower(): userid for userid in known}
            found |= {userid: ours.get(userid.lower(), userid) for userid in few}
        return found

    @classmethod
    def names_of(cls, userid: str) -> list[str]:
        """Return every userid that the member has or had, however one of them is spelled."""
        now = cls.spelled(userid)
        rows = FormerUserid.select(FormerUserid.former).where(FormerUserid.userid == now)
        return [now, *(row.former for row in rows.order_by(FormerUserid.renamed_at))]


class FormerUserid(Model):
    """A userid by which a member was known before WeCom gave them another (path 90970).

    Events that come late and rules that name it mean the member. WeCom may give it to somebody
    else later: then it ends, see ``bot.sync.renames``.
    """

    former = CharField(max_length=64, primary_key=True)
    userid = CharField(max_length=64, index=True)
    renamed_at = UTCDateTimeField()

    @classmethod
    def now_called(cls, userids: Collection[str]) -> dict[str, str]:
        """Return the present userids of those of these that are former ones, by lower case."""
        return {row.former.lower(): row.userid for row in cls.among(userids)}

    @classmethod
    def among(cls, userids: Collection[str]) -> "list[FormerUserid]":
        """Return those of these userids that are former ones, however spelled."""
        lowered = sorted({userid.lower() for userid in userids})
        return [
            row
            for some in chunked(lowered, AT_ONCE)
            for row in cls.select().where(fn.LOWER(cls.former).in_(some))
        ]

    @classmethod
    def first_called(cls, userid: str) -> str:
        """Return the first userid that a member had here: it stays the same however they are
        renamed."""
        row = cls.select().where(cls.userid == userid).order_by(cls.renamed_at, cls.former).first()
        return row.former if row else userid

    @classmethod
    def put(cls, former: str, userid: str, at: datetime) -> bool:
        """Remember that ``former`` is ``userid`` now; False when that is known."""
        known = cls.get_or_none(cls.former == former)
        if known is not None and known.userid == userid:
            return False
        cls.delete().where(fn.LOWER(cls.former) == userid.lower()).execute()
        cls.update(userid=userid).where(cls.userid == former).execute()
        cls.insert(former=former, userid=userid, renamed_at=at).on_conflict(
            conflict_target=[cls.former], preserve=[cls.userid, cls.renamed_at]
        ).execute()
        return True


class StaffDepartment(Model):
    """A member's departments, one row each: migrations/0006_staff.py lets them follow ``Staff``."""

    department_id = IntegerField()
    userid = CharField(max_length=64, index=True)

    class Meta:
        primary_key = CompositeKey("department_id", "userid")


def departments_by_id() -> dict[int, Department]:
    return {row.id: row for row in Department.select().order_by(Department.id)}


def name_of(department_id: int, known: Mapping[int, Department]) -> str:
    department = known.get(department_id)
    return (department.name if department is not None else "") or str(department_id)


def path_of(department_id: int, known: Mapping[int, Department]) -> list[str]:
    """Return the names from the firm down to a department."""
    names: list[str] = []
    seen: set[int] = set()
    while department_id in known and department_id not in seen:
        seen.add(department_id)
        names.insert(0, name_of(department_id, known))
        department_id = known[department_id].parent_id
    return names
