"""审计日志: who did or saw what, and what proves that nobody changed it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

from apiflask import APIBlueprint
from flask import Response, abort, render_template, request
from flask_babel import gettext as _

from bot import clock
from bot.audit import search
from bot.audit.chain import Anchor, is_signed
from bot.audit.log import without_phones
from bot.audit.rights import READ_AUDIT
from bot.audit.search import EXPORTED, Wanted
from bot.audit.verify import public_hex
from bot.console import csv_files, gate
from bot.console.audit.words import (
    act_name,
    detail,
    detail_name,
    people_in,
    subject,
    subject_shown,
    subject_typed,
    who,
)
from bot.console.gate import allow
from bot.console.identity.purpose import PURPOSES
from bot.console.pages import PAGE_SIZE, kegui
from bot.console.registered import registered
from bot.models import AuditEntry
from bot.staff.names import names_of

# The clock seals every three seconds.
PATIENCE = timedelta(minutes=1)
FIELDS = ("person", "act", "subject", "purpose", "from", "to")
LARGEST_ID = 2**63 - 1
DIGITS_SHOWN = 16

blueprint = APIBlueprint(
    "audit", __name__, template_folder="templates", url_prefix="/audit", enable_openapi=False
)


@blueprint.get("")
@allow(READ_AUDIT, shows_customers=True)
def index() -> str:
    """The entries, the latest first: the first of all is that of this reading."""
    asked = {name: request.args.get(name, "").strip() for name in FIELDS}
    before = request.args.get("before", type=int)
    if before is not None and not 0 <= before <= LARGEST_ID:
        abort(404)
    people = search.actors_called(asked["person"]) if asked["person"] else []
    wanted, errors = _wanted(asked, people)
    gate.record_look("audit.look", "audit log", **_looked_for(asked, wanted))
    is_readable = len(people) < 2 and not errors
    part = search.part(wanted, before, PAGE_SIZE) if is_readable else search.Part([])
    proof = search.proof()
    return render_template(
        "audit/index.html",
        asked=asked,
        errors=errors,
        people=people,
        part=part,
        is_first=before is None,
        is_narrowed=any(asked.values()),
        acts=_acts(asked["act"]),
        act_name=act_name,
        subject=subject,
        subject_shown=subject_shown,
        detail=detail,
        detail_name=detail_name,
        actor_name=who,
        purpose_text=_purpose,
        positions=search.positions(part.entries),
        names=names_of(staff=[*people, *people_in(part.entries)]),
        elsewhere=search.seen_elsewhere(wanted.subject),
        proof=proof,
        is_late=proof.waiting_since is not None and clock.now() - proof.waiting_since > PATIENCE,
        is_signature_good=_is_signature_good(proof),
        public_key=public_hex(kegui().audit.public_key)[:DIGITS_SHOWN],
        exported=f"{EXPORTED:,}",
        looked_at=f"{search.LOOKED_AT:,}",
    )


@blueprint.post("/export")
@allow(READ_AUDIT, step_up=True, shows_customers=True)
def export() -> Response:
    """The filtered list as a CSV file."""
    asked = {name: request.form.get(name, "").strip() for name in FIELDS}
    people = search.actors_called(asked["person"]) if asked["person"] else []
    wanted, errors = _wanted(asked, people)
    if errors or len(people) > 1:
        abort(400)
    entries, is_cut = search.export(wanted)
    gate.record_look("audit.export", "audit log", rows=len(entries), **_looked_for(asked, wanted))
    name = f"audit-{clock.now().astimezone(kegui().settings.zone):%Y%m%d-%H%M%S}.csv"
    return csv_files.answer(name, _lines(entries, is_cut))


def _looked_for(asked: Mapping[str, str], wanted: Wanted) -> dict[str, str | None]:
    """The filter, as the log may keep it."""
    typed = {
        "person": search.as_kept(asked["person"], wanted.actor),
        "subject": search.as_kept(asked["subject"], wanted.subject),
        "purpose": without_phones(asked["purpose"]),
    }
    return {name: value or None for name, value in {**asked, **typed}.items()}


def _wanted(asked: Mapping[str, str], people: Sequence[str]) -> tuple[Wanted, dict[str, str]]:
    """The filter that was asked for, and what is wrong with it by the fields' names."""
    errors: dict[str, str] = {}
    days: dict[str, date | None] = {}
    for name in ("from", "to"):
        try:
            days[name] = date.fromisoformat(asked[name]) if asked[name] else None
        except ValueError:
            days[name] = None
            errors[name] = _("请按 2026-11-24 的格式填写日期。")
    since, until = days["from"], days["to"]
    if since is not None and until is not None and until < since:
        errors["to"] = _("结束日期早于开始日期。")
    typed = subject_typed(asked["subject"])
    wanted = Wanted(
        actor=people[0] if people else "",
        act=asked["act"],
        subject=search.subject_called(typed) if typed else "",
        purpose=asked["purpose"],
        since=_midnight(since),
        until=_midnight(until, 1),
    )
    return wanted, errors


def _midnight(day: date | None, days_later: int = 0) -> datetime | None:
    """When a day of the firm begins."""
    if day is None:
        return None
    try:
        begins = datetime.combine(day + timedelta(days=days_later), time(), kegui().settings.zone)
        return begins.astimezone(UTC)
    except OverflowError:
        return None


def _acts(chosen: str) -> list[tuple[str, str]]:
    known = sorted((str(text), act) for act, text in registered().acts.items())
    others = [(chosen, chosen)] if chosen and chosen not in registered().acts else []
    return [("", _("全部")), *others, *((act, text) for text, act in known)]


def _purpose(written: str) -> str:
    return str(PURPOSES.get(written, written))


def _is_signature_good(proof: search.Proof) -> bool:
    anchor = proof.anchor
    if anchor is None:
        return False
    made = Anchor(anchor.position, anchor.link, anchor.at)
    return is_signed(made, anchor.signature, kegui().audit.public_key)


def _lines(entries: Sequence[AuditEntry], is_cut: bool) -> Iterator[list[str]]:
    yield [
        *(_("编号"), _("时间"), _("账号"), _("姓名"), _("操作"), _("操作名称"), _("对象")),
        *(_("目的"), _("来源地址"), _("详情"), _("封存位置")),
    ]
    names = names_of(staff=people_in(entries))
    zone = kegui().settings.zone
    sealed: dict[int, int] = {}
    for start in range(0, len(entries), PAGE_SIZE * 10):
        sealed |= search.positions(entries[start : start + PAGE_SIZE * 10])
    for entry in entries:
        yield [
            str(entry.id),
            entry.at.astimezone(zone).isoformat(sep=" ", timespec="seconds"),
            *(entry.actor, who(entry.actor, names), entry.act, act_name(entry.act)),
            *(entry.subject, entry.purpose, entry.origin, _details(entry)),
            str(sealed.get(entry.id, "")),
        ]
    if is_cut:
        number = f"{len(entries):,}"
        yield [_("只导出了较近的 %(number)s 条。更早的请缩小日期范围后再导出。", number=number)]


def _details(entry: AuditEntry) -> str:
    return json.dumps(entry.details, ensure_ascii=False, sort_keys=True) if entry.details else ""
