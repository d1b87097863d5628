"""Licences, rosters and leave of many members: spreadsheets and calendars over HTTP."""

import io
import zipfile
from datetime import timedelta
from xml.sax.saxutils import escape

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bot import clock
from bot.api.auth import create_token
from bot.models import AuditEntry, Staff
from tests.api.conftest import problem

pytestmark = pytest.mark.usefixtures("firm")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = (
    "userid,kind,number,valid_from,valid_to,capacity,from,to\n"
    "lihua,fund,F1,2026-01-01,2027-01-01,40,,\n"
    "LIHUA,insurance,I1,2026/1/1,,,,\n"
    "wangwu,leave,,,,,2026-12-24,2026-12-26\n"
    "\n"
    "nobody,fund,F2,,,,,\n"
    "wangwu,fund,F3,2026-13-01,,,,\n"
    "wangwu,duty,,,,,2026-12-26,2026-12-31\n"
    "zhangsan,,,,,-4,,\n"
    "zhangsan,,,,,,,\n"
)


def send(
    client: FlaskClient, path: str, content: bytes, content_type: str = "text/csv"
) -> TestResponse:
    token = create_token(f"hr {clock.now()}", ["hr"])
    return client.post(
        f"/api/v1/staff{path}",
        data=content,
        headers={"Authorization": f"Bearer {token}", "Content-Type": content_type},
    )


def test_a_spreadsheet_is_taken_row_by_row(client: FlaskClient) -> None:
    tried = send(client, "/imports?dry_run=true", CSV.encode()).get_json()
    assert Staff.get_by_id("lihua").licences == []
    done = send(client, "/imports", CSV.encode()).get_json()
    again = send(client, "/imports", CSV.encode()).get_json()

    assert done == tried
    assert (done["rows"], done["accepted"], done["unchanged"]) == (8, 3, 0)
    assert [(one["row"], one["column"], one["code"]) for one in done["rejected"]] == [
        (6, "userid", "unknown_member"),
        (7, "valid_from", "bad_date"),
        (8, "from", "overlap"),
        (9, "capacity", "bad_number"),
        (10, "kind", "missing"),
    ]
    assert (again["accepted"], again["unchanged"], again["rejected"]) == (0, 3, done["rejected"])
    lihua = Staff.get_by_id("lihua")
    assert lihua.capacity == 40
    assert lihua.licences == [
        {"kind": "fund", "number": "F1", "valid_from": "2026-01-01", "valid_to": "2027-01-01"},
        {"kind": "insurance", "number": "I1", "valid_from": "2026-01-01", "valid_to": None},
    ]
    assert Staff.get_by_id("wangwu").availability == [
        {"from": "2026-12-24", "to": "2026-12-26", "kind": "leave"}
    ]
    assert AuditEntry.select().where(AuditEntry.act == "staff.set_terms").count() == 2


def workbook(*rows: tuple[str | float, ...]) -> bytes:
    """An Excel file, its texts shared as Excel writes them."""
    texts: list[str] = []
    lines = []
    for number, row in enumerate(rows, 1):
        cells = []
        for column, value in zip("ABCDEFGH", row, strict=False):
            if isinstance(value, str):
                texts.append(value)
                cells.append(f'<c r="{column}{number}" t="s"><v>{len(texts) - 1}</v></c>')
            else:
                cells.append(f'<c r="{column}{number}" s="1"><v>{value}</v></c>')
        lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    shared = "".join(f"<si><t>{escape(text)}</t></si>" for text in texts)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as book:
        book.writestr("xl/sharedStrings.xml", f"<sst {main}>{shared}</sst>")
        book.writestr(
            "xl/worksheets/sheet1.xml",
            f"<worksheet {main}><sheetData>{''.join(lines)}</sheetData></worksheet>",
        )
    return made.getvalue()


def test_excel_is_taken_with_its_own_dates(client: FlaskClient) -> None:
    # 46388 is 2027-01-01.
    book = workbook(
        ("账号", "资质", "编号", "到期日期", "每日配额"), ("lihua", "fund", "F<1>", 46388, 5)
    )

    done = send(client, "/imports", book, XLSX).get_json()

    assert (done["accepted"], done["rejected"]) == (1, [])
    lihua = Staff.get_by_id("lihua")
    assert lihua.daily_quota == 5
    assert lihua.licences == [
        {"kind": "fund", "number": "F<1>", "valid_from": None, "valid_to": "2027-01-01"}
    ]


def test_a_form_may_send_the_file(client: FlaskClient) -> None:
    token = create_token("form", ["hr"])
    answer = client.post(
        "/api/v1/staff/imports",
        data={"file": (io.BytesIO("账号,容量\nlihua,9\n".encode("gb18030")), "staff.csv")},
        headers={"Authorization": f"Bearer {token}"},
    )

    assert answer.get_json()["accepted"] == 1
    assert Staff.get_by_id("lihua").capacity == 9


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"name,capacity\nx,1\n", "no_userid_column"),
        (b"PK\x03\x04 broken", "not_a_table"),
        (b'userid,kind\n"lihua', "not_a_table"),
        (b"userid\n" + b"lihua," * 200 + b"\n", "too_large"),
    ],
)
def test_a_file_that_is_none_changes_nothing(
    client: FlaskClient, content: bytes, code: str
) -> None:
    assert problem(send(client, "/imports", content), 422)["code"] == code


def calendar(*events: str) -> bytes:
    body = "\r\n".join(f"BEGIN:VEVENT\r\n{one}\r\nEND:VEVENT" for one in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{body}\r\nEND:VCALENDAR\r\n".encode()


def day(days: int) -> str:
    return f"{clock.now() + timedelta(hours=8, days=days):%Y%m%d}"


def test_a_calendar_gives_leave_and_duty(client: FlaskClient) -> None:
    path = "/lihua/calendar"
    leave = f"DTSTART;VALUE=DATE:{day(10)}\r\nDTEND;VALUE=DATE:{day(12)}\r\nSUMMARY:年\r\n 假"
    duty = (
        f"DTSTART;TZID=Asia/Shanghai:{day(1)}T090000\r\nDURATION:PT8H\r\nSUMMARY:值班\r\n"
        f"RRULE:FREQ=DAILY;COUNT=3\r\nEXDATE;TZID=Asia/Shanghai:{day(2)}T090000"
    )

    first = send(client, path, calendar(leave, duty), "text/calendar")
    assert first.status_code == 200, first.get_json()
    found = first.get_json()["availability"]

    assert [one["kind"] for one in found] == ["duty", "duty", "leave"]
    assert found[0]["from"] == f"{clock.now() + timedelta(hours=8, days=1):%Y-%m-%d}T01:00:00Z"
    assert found[0]["to"].endswith("T09:00:00Z")
    # Another calendar of leave leaves the roster as it is.
    other = f"DTSTART;VALUE=DATE:{day(20)}\r\nSUMMARY:请假"
    kept = send(client, path, calendar(other), "text/calendar").get_json()["availability"]
    assert [one["kind"] for one in kept] == ["duty", "duty", "leave"]
    assert kept[2] != found[2]


@pytest.mark.parametrize(
    ("event", "line", "code"),
    [
        ("SUMMARY:休假", 3, "no_beginning"),
        ("DTSTART:tomorrow\r\nSUMMARY:休假", 4, "bad_date"),
        ("DTSTART;TZID=Moon/Sea:20991201T090000\r\nSUMMARY:休假", 4, "unknown_zone"),
        ("DTSTART;VALUE=DATE:20991201\r\nSUMMARY:聚餐", 3, "unknown_kind"),
        ("DTSTART;VALUE=DATE:20991202\r\nDTEND;VALUE=DATE:20991201\r\nSUMMARY:休假", 3,
         "ends_before_it_begins"),
        ("DTSTART;VALUE=DATE:20991202\r\nSUMMARY:休假\r\nRRULE:FREQ=OFTEN", 6, "bad_rule"),
        ("DTSTART;VALUE=DATE:20991202\r\nSUMMARY:休假\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\n"
         "DTSTART:20991202T010000Z\r\nDURATION:PT1H\r\nSUMMARY:值班", 7, "overlap"),
    ],
)  # fmt: skip
def test_a_calendar_that_cannot_stand_names_its_line(
    client: FlaskClient, event: str, line: int, code: str
) -> None:
    answer = send(client, "/lihua/calendar", calendar(event), "text/calendar")

    [error] = problem(answer, 422)["errors"]
    assert (error["line"], error["code"]) == (line, code)
    assert error["detail"]
    assert Staff.get_by_id("lihua").availability == []
