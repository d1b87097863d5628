"""Whether the archive is whole: its chain, its files, and if not, where it breaks first."""

from collections.abc import Iterable, Iterator

from bot.archive.day_keys import DayKeys
from bot.archive.proof import Chain
from bot.archive.reading import Archive
from bot.audit.verify import anchors_in
from bot.kegui import Kegui
from bot.models import ArchiveFile, ArchiveMessage

# What collectors keep of the log, and what the clock keeps elsewhere.
ANCHOR_EVENT = "archive_anchor"
FILE_CHANGED = "is not what was stored, or is missing in the media folder"
READ_AT_ONCE = 200


def faults(kegui: Kegui, anchors: Iterable[str] | None = None) -> Iterator[str]:
    """Yield what is wrong, by msgid, seq or SHA-256: the chain first, then the files.

    Args:
        anchors: lines in which anchors were kept elsewhere.

    Raises:
        ValueError: none of these lines is one, or two of them speak of different chains.
    """
    elsewhere = {} if anchors is None else anchors_in(anchors, ANCHOR_EVENT)
    yield from Chain(kegui.vault).faults(DayKeys(kegui.vault), elsewhere)
    yield from _faults_of_files(kegui)


def whole() -> str:
    """Say how much there is, of an archive without a fault."""
    messages, files = ArchiveMessage.select().count(), ArchiveFile.select().count()
    return f"the archive is whole: {messages} messages, {files} files"


def _faults_of_files(kegui: Kegui) -> Iterator[str]:
    if not ArchiveFile.select().exists():
        return
    files, last = Archive(kegui).files, ""
    while rows := list(
        ArchiveFile.select()
        .where(ArchiveFile.name > last)
        .order_by(ArchiveFile.name)
        .limit(READ_AT_ONCE)
    ):
        for row in rows:
            if not files.check(row):
                yield f"file {files.known_as(row)} {FILE_CHANGED}"
        last = rows[-1].name
