"""Licences, capacities, quotas and rosters of many members from a spreadsheet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from bot import sheets
from bot.audit.log import Who
from bot.kegui import Kegui
from bot.models import Staff
from bot.staff import duty, staff, terms
from bot.staff.ics import BadCalendar
from bot.staff.terms import Wrong

# What a column may be called.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "userid": ("userid", "user_id", "账号", "成员账号", "成员"),
    "kind": ("kind", "licence_kind", "licence", "license", "资质", "资质类型", "类型", "状态"),
    "number": ("number", "licence_number", "licence_no", "编号", "证书编号", "资质编号"),
    "valid_from": ("valid_from", "生效日期", "有效期起"),
    "valid_to": ("valid_to", "到期日期", "失效日期", "有效期止"),
    "capacity": ("capacity", "容量", "客户容量"),
    "daily_quota": ("daily_quota", "quota", "每日配额"),
    "from": ("from", "开始", "开始时间"),
    "to": ("to", "结束", "结束时间"),
    "availability_kind": ("availability_kind", "availability", "排班"),
}
_CALLED = {name: column for column, names in COLUMNS.items() for name in names}


@dataclass(frozen=True)
class Rejected:
    """A row that was not taken: its number in the file, the column, and why."""

    row: int
    column: str
    code: str


@dataclass
class Imported:
    """How many rows there were, changed something, changed nothing, and which were refused."""

    rows: int = 0
    accepted: int = 0
    unchanged: int = 0
    rejected: list[Rejected] = field(default_factory=list)


def take(content: bytes, by: Who, kegui: Kegui, *, dry_run: bool) -> Imported:
    """Set what a spreadsheet says, row by row; a row that cannot be taken changes nothing.

    Each row names a member and has a licence, a period of duty, leave or off, or numbers.

    Args:
        dry_run: only say what would be done.

    Raises:
        bot.sheets.NoSheet: the file cannot be read, or has no column that names the members.
    """
    rows = sheets.rows_of(content)
    if not rows:
        raise sheets.NoSheet("empty")
    header, body = _header(rows[0][1]), rows[1:]
    done = Imported(rows=len(body))
    columns = header[0]
    done.rejected += [Rejected(rows[0][0], name, "unknown_column") for name in header[1]]
    asked = {cells[columns["userid"]] for _n, cells in body if len(cells) > columns["userid"]}
    spelled = Staff.spellings([one for one in asked if 0 < len(one) <= 64])
    members = {
        one.userid: one for one in Staff.select().where(Staff.userid.in_(list(spelled.values())))
    }
    changed: dict[str, dict[str, Any]] = {}
    for number, cells in body:
        values = {
            column: cells[place] if place < len(cells) else "" for column, place in columns.items()
        }
        member = members.get(spelled.get(values["userid"], ""))
        try:
            if member is None:
                raise Wrong("userid", "unknown_member" if values["userid"] else "missing")
            new = _changes(values, member, kegui.settings.zone)
        except Wrong as wrong:
            done.rejected.append(
                Rejected(number, _shown(wrong.column, columns, rows[0][1]), wrong.code)
            )
            continue
        if not new:
            done.unchanged += 1
            continue
        done.accepted += 1
        # The next row about this member goes on from here.
        for name, value in new.items():
            setattr(member, name, value)
        changed.setdefault(member.userid, {}).update(new)
    if not dry_run:
        for userid, new in changed.items():
            staff.set_terms(userid, by, kegui, **new)
    return done


def _header(cells: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """Return where each column stands, and the names that say nothing."""
    columns: dict[str, int] = {}
    unknown = []
    for place, cell in enumerate(cells):
        column = _CALLED.get(cell.strip().lower())
        if column is None:
            unknown += [cell] if cell else []
        elif column not in columns:
            columns[column] = place
    if "userid" not in columns:
        raise sheets.NoSheet("no_userid_column")
    return columns, unknown


def _shown(column: str, columns: Mapping[str, int], header: Sequence[str]) -> str:
    """A column as the file calls it."""
    return header[columns[column]] if column in columns else column


def _changes(values: Mapping[str, str], member: Staff, zone: tzinfo) -> dict[str, Any]:
    """Return what a row changes of a member."""
    new: dict[str, Any] = {}
    for name, most in (("capacity", terms.MOST_CUSTOMERS), ("daily_quota", terms.MOST_A_DAY)):
        if values.get(name):
            new[name] = terms.number(name, values[name], most)
    kind = values.get("availability_kind") or values.get("kind", "")
    if values.get("from") or values.get("to") or values.get("availability_kind"):
        made = terms.period(values.get("from", ""), values.get("to", ""), kind, zone)
        if made not in member.availability:
            periods = [*member.availability, made]
            terms.check_periods(periods, zone)
            new["availability"] = periods
    elif any(values.get(name) for name in ("kind", "number", "valid_from", "valid_to")):
        licence = terms.licence(
            kind, values.get("number", ""), values.get("valid_from", ""), values.get("valid_to", "")
        )
        if licence not in member.licences:
            new["licences"] = terms.with_licence(member.licences, licence)
            if len(new["licences"]) > terms.MOST_LICENCES:
                raise Wrong("kind", "too_many")
    elif not new:
        raise Wrong("kind", "missing")
    return {name: value for name, value in new.items() if value != getattr(member, name)}


def take_calendar(
    member: Staff, periods: Sequence[Mapping[str, Any]], by: Who, kegui: Kegui
) -> None:
    """Set a member's periods as a calendar gives them: those of the kinds that it has are replaced.

    Raises:
        bot.staff.ics.BadCalendar: two of its periods overlap, or one and another that stays.
    """
    new = [{name: one[name] for name in ("from", "to", "kind")} for one in periods]
    kept = duty.replaced(member.availability, new, {one["kind"] for one in new})
    clash = duty.overlap(duty.periods_of(kept, kegui.settings.zone))
    if clash is not None:
        starts = {one.start.isoformat().replace("+00:00", "Z") for one in clash}
        lines = [one["line"] for one in periods if one["from"] in starts]
        raise BadCalendar(max(lines, default=1), "overlap")
    staff.set_terms(member.userid, by, kegui, availability=kept)
