"""Files of messages: fetched in pieces, kept encrypted once, and told of where missing."""

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import clock
from bot.archive import completeness, runner, verify
from bot.models import ArchiveFile, ArchiveMedia
from bot.models.archive import EXPIRED, STORED
from tests.archive.conftest import House
from tests.archive.corporation import message
from tests.archive.test_reading import PURPOSE, Call, app, call, whole_feed

__all__ = ["app", "call"]
# More than two pieces, and of no piece's length.
PICTURE = b"\xff\xd8\xff" + bytes(range(256)) * 5000 + b"the end"


def picture(number: int, content: bytes = PICTURE, **more: Any) -> dict[str, Any]:
    md5 = hashlib.md5(content).hexdigest()  # noqa: S324 - WeCom's choice
    image = {"md5sum": md5, "filesize": len(content), "sdkfileid": f"file{number}"}
    return message(number, msgtype="image", image=image | more)


def fetch(house: House) -> None:
    runner.make_fetcher(house.kegui, house.source).fetch_due()


@pytest.fixture
def folder(house: House) -> Path:
    return Path(house.kegui.settings.media_url.get_secret_value().removeprefix("file://"))


def test_a_file_is_fetched_piece_by_piece_and_given_to_a_reader(
    house: House, call: Call, folder: Path
) -> None:
    now = int(clock.now().timestamp() * 1000)
    house.corporation.send(picture(1) | {"msgtime": now}, picture(2) | {"msgtime": now})
    house.corporation.put_media("file1", PICTURE)
    house.corporation.put_media("file2", PICTURE)
    # A piece that fails is asked for again, and not the whole file.
    house.corporation.faults("GetMediaData 2 crash")
    house.pull()
    fetch(house)

    sha256 = hashlib.sha256(PICTURE).hexdigest()
    [one, other] = whole_feed(call)
    wanted = {"sha256": sha256, "type": "image/jpeg", "size": len(PICTURE), "state": "stored"}
    assert one["media"] == other["media"] == [wanted]
    answer = call("GET", f"/media/{sha256}")
    assert answer.get_data() == PICTURE
    assert answer.headers["Content-Type"] == "image/jpeg"
    # The same content once, and none of it as it is.
    [stored] = [path for path in folder.rglob("*") if path.is_file()]
    assert bytes(range(256)) not in stored.read_bytes()
    assert sha256 not in str(stored)
    assert ArchiveFile.select().count() == 1
    assert list(verify.faults(house.kegui)) == []

    changed = bytearray(stored.read_bytes())
    changed[700_000] ^= 1
    stored.write_bytes(changed)
    assert [fault for fault in verify.faults(house.kegui) if sha256 in fault]


def test_a_file_that_wecom_has_no_more_is_expired_and_told_of(house: House) -> None:
    house.corporation.send(picture(1))
    house.pull()
    fetch(house)

    assert ArchiveMedia.get().state == EXPIRED
    assert completeness.report(house.kegui.settings)["media_missing"] == 1


def test_a_file_that_fails_waits_and_is_tried_again(house: House) -> None:
    now = int(clock.now().timestamp() * 1000)
    house.corporation.send(picture(1, md5sum="0" * 32) | {"msgtime": now})
    house.corporation.put_media("file1", PICTURE)
    house.corporation.faults("GetMediaData 1 fail=10001")
    house.pull()
    fetch(house)
    waiting = ArchiveMedia.get()
    assert (waiting.state, waiting.tries) == ("pending", 1)
    assert waiting.due_at > clock.now() + timedelta(seconds=5)

    house.corporation.faults()
    ArchiveMedia.update(due_at=clock.now()).execute()
    fetch(house)

    # Another md5 than WeCom said: kept, and noted.
    done = ArchiveMedia.get()
    assert (done.state, done.is_md5_right) == (STORED, False)


def test_a_file_of_a_withheld_message_is_not_there(house: House, call: Call) -> None:
    from tests.archive.corporation import CUSTOMER

    theirs = {"from": CUSTOMER, "tolist": ["zhangsan"]}
    refusal = {"msgtype": "disagree", "disagree": {"userid": CUSTOMER}}
    house.corporation.send(message(1) | theirs | refusal, picture(2) | theirs)
    house.corporation.put_media("file2", PICTURE)
    house.pull()
    fetch(house)
    sha256 = hashlib.sha256(PICTURE).hexdigest()

    assert call("GET", f"/media/{sha256}", headers=PURPOSE).status_code == 404
    assert json.loads(call("GET", "/messages").get_data())["items"][1]["media"] == []
