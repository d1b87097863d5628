"""Faults on demand, the books, and the refusal to run in production."""

import pytest

from bot.sandbox.server import serve
from tests.sandbox.stage import CHEN, Stage

LIST = "externalcontact/get_follow_user_list"


def test_a_code_is_answered_as_often_as_asked(stage: Stage) -> None:
    stage.control("faults", endpoint=LIST, errcode=-1, times=2)

    assert [stage.get(LIST)["errcode"] for _ in range(3)] == [-1, -1, 0]
    assert stage.get("getcallbackip")["errcode"] == 0


def test_a_status_and_a_body_can_be_anything(stage: Stage) -> None:
    stage.control("faults", endpoint="*", http_status=502, body="<html>", times=1)

    answer = stage.client.get(f"/cgi-bin/{LIST}")

    assert (answer.status_code, answer.get_data(as_text=True)) == (502, "<html>")


def test_an_answer_can_be_lost_after_the_act(stage: Stage) -> None:
    stage.add()
    stage.control("faults", endpoint="externalcontact/transfer_customer", after_execute=True)
    raw = f'{{"handover_userid":"zhangsan","takeover_userid":"lisi","external_userid":["{CHEN}"]}}'
    query = {"access_token": stage.token()}

    answer = stage.client.post(
        "/cgi-bin/externalcontact/transfer_customer", query_string=query, data=raw
    )

    assert answer.status_code == 599
    assert [row["effect"] for row in stage.look("executed")] == ["transfer_started"]


def test_a_fault_can_be_meant_for_some_calls_only(stage: Stage) -> None:
    stage.control("faults", endpoint="user/get", errcode=45036, match={"userid": "lisi"})

    assert stage.get("user/get", userid="zhangsan")["errcode"] == 0
    assert stage.get("user/get", userid="lisi")["errcode"] == 45036


def test_chance_is_repeatable(stage: Stage) -> None:
    def tries() -> list[int]:
        stage.control("faults", endpoint=LIST, errcode=-1, probability=0.5, seed=7)
        codes = [stage.get(LIST)["errcode"] for _ in range(20)]
        stage.client.delete("/sandbox/faults")
        return codes

    first, second = tries(), tries()

    assert first == second
    assert set(first) == {0, -1}
    assert stage.get(LIST)["errcode"] == 0


def test_a_fault_with_an_unknown_field_is_refused(stage: Stage) -> None:
    assert stage.client.post("/sandbox/faults", json={"error": 1}).status_code == 400


def test_calls_are_booked_without_secrets(stage: Stage) -> None:
    stage.get("user/get", userid="lisi")
    stage.get("user/get", userid="nobody")

    calls = stage.look("calls", endpoint="user/get")
    assert [(row["kind"], row["errcode"], row["parameters"]) for row in calls] == [
        ("app", 0, {"userid": "lisi"}),
        ("app", 60111, {"userid": "nobody"}),
    ]
    assert stage.look("counts")["user/get"] == {"0": 1, "60111": 1}
    assert stage.look("calls", endpoint="gettoken")[0]["parameters"] == {
        "corpid": "ww5823bf96d3bd56c7"
    }


def test_the_state_shows_no_secrets(stage: Stage) -> None:
    stage.add()
    state = stage.look("state")

    assert state["customers"][0]["relations"][0]["userid"] == "zhangsan"
    assert "app-secret" not in str(state)


def test_the_clock_jumps_forward_only(stage: Stage) -> None:
    before = stage.look("clock")["now"]
    stage.advance(1000)

    assert stage.look("clock")["now"] - before >= 1000
    assert stage.client.post("/sandbox/clock", json={"advance_seconds": -1}).status_code == 400


def test_it_never_starts_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEGUI_ENV", "production")

    with pytest.raises(SystemExit, match="production"):
        serve(port=0)
