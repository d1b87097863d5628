"""会话存档: messages found and read, each time with a purpose and an entry in the audit log."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from apiflask import APIBlueprint
from apiflask.schemas import FileSchema
from flask import Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from bot.api import context, paging
from bot.api.auth import needs
from bot.api.idempotency import question
from bot.api.paging import LARGEST_ID, PageOut
from bot.api.problems import Problem, invalid, missing
from bot.api.purposes import reader
from bot.api.schemas import Asked, Shown
from bot.archive import completeness
from bot.archive.contents import as_json
from bot.archive.media import FolderAway
from bot.archive.people import UNKNOWN
from bot.archive.reading import Archive, MediaView, View, Wanted, WordTooShort
from bot.db import transaction
from bot.vault import VaultError

SCOPE = "archive"
FILE = FileSchema(type="string", format="binary")
Id = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00]*$")]
Ids = Annotated[list[Id], Field(max_length=100)]
Moment = Annotated[AwareDatetime, Field(json_schema_extra={"maxLength": 40})]

blueprint = APIBlueprint("archive", __name__, url_prefix="/archive", tag="Archive")


class SearchAsked(Asked):
    """All that is given must hold; ``q`` has one or several words, each of two characters or
    more, and all of them must be there."""

    q: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")] = ""
    userids: Ids = Field(default_factory=list)
    external_userids: Ids = Field(default_factory=list)
    chat_ids: Ids = Field(default_factory=list)
    from_: Moment | None = Field(None, alias="from")
    to: Moment | None = None
    msgtypes: Ids = Field(default_factory=list)
    cursor: str | None = Field(None, pattern="^[A-Za-z0-9_-]+$", max_length=200)
    limit: int = Field(50, ge=1, le=200)


class FeedQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    after_seq: int = Field(0, ge=0, le=LARGEST_ID)
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, pattern="^[0-9]+$", max_length=20)


class PersonOut(Shown):
    kind: Literal["staff", "customer", "robot", "unknown"]
    id: str


class MediaOut(Shown):
    sha256: str | None
    type: str | None
    size: int | None
    state: Literal["stored", "pending", "missing", "expired"]


class HighlightOut(BaseModel):
    start: int
    end: int


class MessageOut(BaseModel):
    """``content`` null: the row could not be decrypted, or consent withholds it."""

    model_config = ConfigDict(populate_by_name=True)

    msgid: str
    seq: str
    state: Literal["stored", "undecryptable"]
    msgtype: str | None
    action: str | None
    sent_at: datetime
    from_: PersonOut | None = Field(alias="from")
    to: list[PersonOut]
    chat_id: str | None
    text: str | None
    content: dict[str, Any] | None
    media: list[MediaOut]
    recalled_by: str | None
    consent: Literal["agreed", "refused", "unknown", "not_needed"]
    withheld: bool
    publickey_ver: int
    hash: str


class FoundOut(MessageOut):
    highlights: list[HighlightOut]


class SearchOut(PageOut):
    items: list[FoundOut]
    withheld: int


class FeedOut(PageOut):
    items: list[MessageOut]


class LockedOut(BaseModel):
    publickey_ver: int
    count: int


class SilenceOut(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    from_: datetime = Field(alias="from")
    to: datetime
    reason: Literal["no_pull", "seq_jump"]


class CompletenessOut(BaseModel):
    last_seq: str
    last_pull_at: datetime | None
    lag_seconds: int | None
    undecryptable: list[LockedOut]
    media_missing: int
    silences: list[SilenceOut]
    members_not_permitted: list[str]
    members_silent: list[str]


@blueprint.post("/search")
@needs(SCOPE)
@question
@blueprint.input(SearchAsked, arg_name="asked")
@blueprint.output(SearchOut)
def search(asked: SearchAsked) -> dict[str, Any]:
    """Find messages; the words stand in no address and in no log."""
    who = reader()
    try:
        words = Wanted.words_in(asked.q)
    except WordTooShort:
        raise invalid("q", "每个检索词至少两个字", "a word has two characters at least") from None
    wanted = Wanted(
        words,
        asked.userids,
        asked.external_userids,
        asked.chat_ids,
        asked.from_,
        asked.to,
        asked.msgtypes,
    )
    before = paging.read_cursor(asked.cursor, int) if asked.cursor else None
    found = Archive(context.kegui()).search(wanted, before, asked.limit, context.scope())
    narrowed = asked.model_dump(
        mode="json",
        by_alias=True,
        exclude={"q", "cursor", "limit"},
        exclude_defaults=True,
    )
    digest = context.kegui().vault.fingerprint("archive search", " ".join(words))
    with transaction():
        context.kegui().audit.record(
            who,
            "archive.search",
            "archive",
            words=len(words) or None,
            # Whether two searches were for the same can be told; for what, only by who knows it.
            words_digest=digest[:16] if words else None,
            narrowed=narrowed or None,
            **_ends(found.views),
            withheld=found.withheld or None,
        )
    return {
        "items": [
            _show(view)
            | {"highlights": [{"start": start, "end": end} for start, end in view.highlights]}
            for view in found.views
        ],
        "withheld": found.withheld,
        "next_cursor": None if found.last is None else paging.make_cursor(found.last),
    }


@blueprint.get("/messages")
@needs(SCOPE)
@blueprint.input(FeedQuery, location="query")
@blueprint.output(FeedOut)
def feed(query_data: FeedQuery) -> dict[str, Any]:
    """Give messages in the order of seq, for the firm's own systems."""
    who = reader()
    after = max(query_data.after_seq, int(query_data.cursor or 0))
    views = Archive(context.kegui()).feed(after, query_data.limit, context.scope())
    with transaction():
        context.kegui().audit.record(
            who, "archive.feed", "archive", after_seq=after, **_ends(views)
        )
    is_more = len(views) >= query_data.limit
    return {
        "items": [_show(view) for view in views],
        "next_cursor": str(views[-1].row.seq) if is_more else None,
    }


# Old ones are Base64, with slashes.
@blueprint.get("/messages/<path:msgid>")
@needs(SCOPE)
@blueprint.output(MessageOut)
def message(msgid: str) -> dict[str, Any]:
    """Show one message; what consent withholds is not there."""
    who = reader()
    view = Archive(context.kegui()).message(msgid, context.scope())
    if view is None:
        raise missing("消息", "message", msgid[:128])
    with transaction():
        context.kegui().audit.record(who, "archive.read", f"message {msgid}")
    return _show(view)


@blueprint.get("/media/<sha256>")
@needs(SCOPE)
@blueprint.output(FILE, content_type="application/octet-stream")
def media(sha256: str) -> Response:
    """Give a file of a message, by its SHA-256."""
    who = reader()
    archive = Archive(context.kegui())
    row = archive.file(sha256, context.scope())
    if row is None:
        raise missing("文件", "file", sha256[:64])
    pieces = archive.files.pieces(row)
    try:
        # What cannot be read is told before anything is sent.
        first = next(pieces, b"")
    except (FolderAway, VaultError):
        raise Problem(
            503,
            "media-away",
            "该文件暂时无法读取，请联系运维人员检查 KEGUI_MEDIA_URL",
            "this file cannot be read now: let IT check KEGUI_MEDIA_URL",
        ) from None
    with transaction():
        context.kegui().audit.record(who, "archive.media", f"file {sha256}")

    def content() -> Iterator[bytes]:
        yield first
        yield from pieces

    answer = Response(content(), mimetype=row.type)
    answer.content_length = row.size
    answer.headers["Content-Disposition"] = "attachment"
    return answer


@blueprint.get("/completeness")
@needs(SCOPE)
@blueprint.output(CompletenessOut)
def complete() -> dict[str, Any]:
    """Say what the archive may lack."""
    context.record_look("archive.completeness", "archive")
    return completeness.report(context.kegui().settings, scope=context.scope())


def _ends(views: Sequence[View]) -> dict[str, object]:
    if not views:
        return {"number": 0}
    return {"number": len(views), "first": views[0].row.msgid, "last": views[-1].row.msgid}


def _show(view: View) -> dict[str, Any]:
    row, said = view.row, view.message
    is_open = said is not None and not view.is_withheld
    return {
        "msgid": row.msgid,
        "seq": str(row.seq),
        "state": view.state,
        "msgtype": row.msgtype or None,
        "action": row.action or None,
        "sent_at": row.sent_at,
        "from": _person(said.sender, view) if said and said.sender else None,
        "to": [_person(one, view) for one in said.to] if said else [],
        "chat_id": row.chat_id or None,
        "text": said.text if said and is_open else None,
        "content": as_json(said.body) if said and is_open else None,
        "media": [_media(one) for one in view.media] if is_open else [],
        "recalled_by": view.recalled_by,
        "consent": view.consent,
        "withheld": view.is_withheld,
        "publickey_ver": row.publickey_ver,
        "hash": row.hash,
    }


def _person(ident: str, view: View) -> dict[str, str]:
    return {"kind": view.kinds.get(ident, UNKNOWN), "id": ident}


def _media(one: MediaView) -> dict[str, Any]:
    return {"sha256": one.sha256, "type": one.type, "size": one.size, "state": one.state}
