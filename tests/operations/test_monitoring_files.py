"""Dashboard, alert rules and docs/monitoring.md speak of metrics that there are."""

import importlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from bot import db
from bot.metrics import Storing
from bot.operations.metrics_page import Everything
from bot.queue import Queue
from tests.conftest import missing_service

ROOT = Path(__file__).parents[2]
DOC = ROOT / "docs" / "monitoring.md"
DASHBOARD = ROOT / "deploy" / "grafana" / "kegui.json"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"


@pytest.fixture
def exported(sqlite_url: str) -> dict[str, str]:
    """The kind of each metric at /metrics."""
    database = db.connect(sqlite_url)
    registry = CollectorRegistry()
    registry.register(Everything(Queue(sqlite_url), Storing(CollectorRegistry())))
    text = generate_latest(registry).decode()
    database.close_all()
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))


def samples(exported: dict[str, str]) -> set[str]:
    """Every name that a query may use."""
    return {
        name + ending
        for name, kind in exported.items()
        for ending in (("_bucket", "_count", "_sum") if kind == "histogram" else ("",))
    }


def named(text: str) -> set[str]:
    return set(re.findall(r"\bkegui_[a-z_]+", text))


def expressions() -> dict[str, str]:
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    groups = importlib.import_module("yaml").safe_load(ALERTS.read_text("utf-8"))["groups"]
    found = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in panels
        for target in panel["targets"]
    }
    return found | {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def test_prometheus_accepts_the_rules_and_understands_every_query(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        missing_service("promtool")
    queries = [
        {"record": f"query_{number}", "expr": expr.replace("$__rate_interval", "5m")}
        for number, expr in enumerate(expressions().values())
    ]
    of_the_dashboard = tmp_path / "queries.yml"
    of_the_dashboard.write_text(json.dumps({"groups": [{"name": "all", "rules": queries}]}))

    done = subprocess.run(
        [promtool, "check", "rules", ALERTS, of_the_dashboard],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


OVERDUE_READINGS = """
rule_files: [%s]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: 'kegui_last_sync_timestamp_seconds{instance="web"}'
        values: '%s'
    alert_rule_test:
      - {eval_time: %s, alertname: KeguiReadingOverdue, exp_alerts: [%s]}
  - interval: 1m
    input_series:
      - series: 'kegui_job_late{instance="web", job="readings.first_import"}'
        values: '0x10 1x600'
    alert_rule_test:
      - {eval_time: 10m, alertname: KeguiJobLate, exp_alerts: []}
      - eval_time: 20m
        alertname: KeguiJobLate
        exp_alerts:
          - exp_labels: {severity: warning, job: readings.first_import}
            exp_annotations: {summary: 客规的定时任务 readings.first_import 很久没有成功,
              description: 用 kegui status 查看该任务的错误并排除原因，任务会自动重试。}
"""
IT_FIRES = """
  {exp_labels: {severity: warning},
   exp_annotations: {summary: "全量核对已超过 36 小时没有完成，或首次导入一直没有完成",
   description: "请检查 定时任务进程（clock）是否在运行；用 kegui status 查看最近一次核对。"}}"""
# Prometheus tests begin in 1970: the moment of a reading is counted from there.
LONG_AFTER = "3d"


@pytest.mark.parametrize(
    ("values", "at", "fires"),
    [
        # No reading was ever finished.
        ("0x4320", LONG_AFTER, True),
        # The last one ended an hour ago, all the time; or on the first day, and none since.
        ("0+60x4320", LONG_AFTER, False),
        ("3600x4320", LONG_AFTER, True),
        ("3600x4320", "30h", False),
    ],
)
def test_a_first_import_that_never_ends_is_not_hidden(
    tmp_path: Path, values: str, at: str, fires: bool
) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        missing_service("promtool")
    cases = tmp_path / "cases.yml"
    cases.write_text(OVERDUE_READINGS % (ALERTS, values, at, IT_FIRES if fires else ""))

    done = subprocess.run(
        [promtool, "test", "rules", cases], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_query_asks_for_a_metric_that_there_is(exported: dict[str, str]) -> None:
    asked = expressions()

    assert len(asked) > 20
    for title, expression in asked.items():
        assert named(expression), title
        assert named(expression) <= samples(exported), title


def test_the_page_explains_each_metric_in_a_line_of_its_own_and_no_other(
    exported: dict[str, str],
) -> None:
    lines = re.findall(r"^\| `(kegui_[a-z_]+)` \|", DOC.read_text("utf-8"), re.MULTILINE)

    assert sorted(lines) == sorted(exported)
    assert named(DOC.read_text("utf-8")) == set(exported)


def test_every_label_that_a_query_picks_is_on_the_page() -> None:
    page = DOC.read_text("utf-8")
    for title, expression in expressions().items():
        for label in re.findall(r"(\w+)=~?\"", expression):
            assert re.search(rf"\b{label}\b", page), title
