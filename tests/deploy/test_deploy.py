"""The example files of an installation agree with the Procfile and with each other."""

import configparser
import os
import re
import shutil
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
import requests
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from werkzeug.serving import make_server

from bot import migrations
from bot.db import database
from bot.operations.doctor.storage import MOST_WEB_PROCESSES, Processes
from tests.conftest import missing_service
from tests.console.two_departments import open_house
from tests.stack import free_port, until

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = dict(
    line.split(": kegui ", 1) for line in (ROOT / "Procfile").read_text().splitlines() if line
)
UNITS = {
    "release": "kegui-release.service",
    "web": "kegui-web.service",
    "worker": "kegui-worker@.service",
    "clock": "kegui-clock@.service",
    "archive": "kegui-archive.service",
}
NGINX = ROOT / "deploy" / "nginx" / "kegui.conf"


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(ROOT / "deploy" / "systemd" / UNITS[name])
    return parser


@pytest.fixture
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "compose.yaml").read_text()))


def test_there_is_a_unit_for_each_process_and_no_other() -> None:
    assert set(UNITS) == set(PROCESSES)
    found = {path.name for path in (ROOT / "deploy" / "systemd").iterdir()}
    assert found == set(UNITS.values())


@pytest.mark.parametrize("name", PROCESSES)
def test_a_unit_runs_the_process_without_rights(name: str) -> None:
    service = unit(name)["Service"]

    assert service["ExecStart"] == f"/opt/kegui/.venv/bin/kegui {PROCESSES[name]}"
    assert service["User"] == "kegui"
    assert service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    if name != "release":
        assert service["Restart"] == "always"
        assert unit(name)["Unit"]["StartLimitIntervalSec"] == "0"


@pytest.mark.parametrize("name", PROCESSES)
def test_compose_runs_the_process(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]

    assert service["command"] == PROCESSES[name].split()
    assert service["environment"]["KEGUI_DATABASE_URL_FILE"] == "/run/secrets/database_url"
    assert service["read_only"] is True


def test_compose_scales_workers_and_clocks(compose: dict[str, Any]) -> None:
    services = compose["services"]

    assert services["worker"]["deploy"]["replicas"] == 2
    assert services["clock"]["deploy"]["replicas"] == 2


def test_compose_gives_the_database_enough_connections(compose: dict[str, Any]) -> None:
    option = compose["services"]["database"]["command"][-1]

    assert (
        int(option.removeprefix("max_connections="))
        > Processes(MOST_WEB_PROCESSES, 2, 2).connections
    )


def test_compose_names_only_secrets_that_it_declares(compose: dict[str, Any]) -> None:
    used = {name for service in compose["services"].values() for name in service.get("secrets", ())}

    assert used == set(compose["secrets"])


def test_the_secrets_of_compose_are_made_once_and_kept_from_others(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    make = ["sh", str(ROOT / "deploy" / "compose" / "secrets.sh")]
    subprocess.run(make, cwd=tmp_path, check=True)
    folder = tmp_path / "secrets"
    made = {f"./secrets/{path.name}": path.read_text().strip() for path in folder.iterdir()}

    assert set(made) == {secret["file"] for secret in compose["secrets"].values()}
    assert folder.stat().st_mode & 0o777 == 0o700
    proved = "sslmode=verify-full&sslrootcert=/run/secrets/database_certificate"
    for role, name in {"kegui": "owner", "kegui_app": "application"}.items():
        password = made[f"./secrets/{name}_password"]
        assert len(password) == 48
        assert f"postgresql://{role}:{password}@database/kegui?{proved}" in made.values()
    password = made["./secrets/queue_password"]
    assert len(password) == 48
    assert made["./secrets/queue_url"] == f"redis://:{password}@queue:6379/0"
    certificate = x509.load_pem_x509_certificate(made["./secrets/database_certificate"].encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == ["database"]
    assert certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=3000)
    # A second run would lock the database's own password out.
    assert subprocess.run(make, cwd=tmp_path, capture_output=True, check=False).returncode
    assert {f"./secrets/{path.name}": path.read_text().strip() for path in folder.iterdir()} == made


def test_compose_lets_the_outside_reach_the_proxy_alone(compose: dict[str, Any]) -> None:
    services = compose["services"]
    settings = services["web"]["environment"]
    proxy, web = (services[name]["networks"]["front"]["ipv4_address"] for name in ("proxy", "web"))

    assert [name for name, one in services.items() if "ports" in one] == ["proxy"]
    assert [name for name, one in services.items() if "front" in one.get("networks", ())] == [
        "proxy",
        "web",
    ]
    assert settings["KEGUI_TRUSTED_PROXIES"] == proxy
    # What the proxy runs with is the example, but for where the web process is.
    [_, _, script] = services["proxy"]["command"]
    assert f"sed 's/127\\.0\\.0\\.1:8000/{web}:8000/' /kegui.conf" in script
    assert settings["KEGUI_BIND"].rpartition(":")[2] == "8000"
    assert NGINX.read_text().count("127.0.0.1:8000") == 1


def test_compose_says_who_the_database_is_and_asks_for_passwords(compose: dict[str, Any]) -> None:
    services = compose["services"]

    assert "ssl=on" in services["database"]["command"]
    assert "requirepass" in services["queue"]["command"][-1]
    for name in PROCESSES:
        assert "database_certificate" in services[name]["secrets"]
        assert services[name]["environment"]["KEGUI_QUEUE_URL_FILE"] == "/run/secrets/queue_url"
    written = (ROOT / "compose.yaml").read_text() + (ROOT / "docs/installation.md").read_text()
    for address in re.findall(r"(?:postgres(?:ql)?|rediss?)://[^\s'`]+", written):
        parts = urlsplit(address)
        assert parts.password, address
        if parts.scheme == "postgresql":
            assert "sslmode=verify-full" in parts.query, address


def test_the_outside_reaches_only_what_it_needs() -> None:
    public = NGINX.read_text().split("server {")[1]

    places = [
        line.split(None, 1)[1]
        for line in public.splitlines()
        if line.strip().startswith("location")
    ]

    assert places == ["/wecom/ {", "/c/ {", r"~ ^/WW_verify_[A-Za-z0-9]+\.txt$ {", "/ {"]
    assert "return 404;" in public


def nginx_with(folder: Path, site: str) -> list[str | Path]:
    """The command that runs nginx with the example's site in a folder of its own."""
    nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    if nginx is None:
        missing_service("nginx")
    make_certificate(folder)
    main = f"pid {folder}/pid; error_log stderr; events {{}} http {{ access_log off; "
    for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
        main += f"{name}_temp_path {folder}/{name}; "
    site = site.replace("/etc/nginx/certs", str(folder))
    (folder / "nginx.conf").write_text(f"daemon off; {main}\n{site}\n}}\n")
    return [nginx, "-p", folder, "-c", folder / "nginx.conf"]


def answer_of(browser: requests.Session, address: str) -> requests.Response | None:
    try:
        return browser.get(address)
    except requests.ConnectionError:
        return None


def test_nginx_accepts_the_configuration(tmp_path: Path) -> None:
    done = subprocess.run(
        [*nginx_with(tmp_path, NGINX.read_text()), "-t"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_forms_of_the_console_pass_through_the_intranet_door(tmp_path: Path) -> None:
    """On a port of its own: the console compares it with where a form came from."""
    app = open_house(f"sqlite:///{tmp_path / 'kegui.db'}", KEGUI_TRUSTED_PROXIES="127.0.0.1")
    migrations.up()
    web = make_server("127.0.0.1", 0, app, threaded=True)
    public, plain, port = (free_port() for _ in range(3))
    site = NGINX.read_text()
    for written, here in (
        ("127.0.0.1:8000", f"127.0.0.1:{web.port}"),
        ("listen 443", f"listen {public}"),
        ("listen 80;", f"listen {plain};"),
        ("listen 8443", f"listen {port}"),
        ("allow 10.0.0.0/8", "allow 127.0.0.1"),
    ):
        assert written in site
        site = site.replace(written, here)
    serving = threading.Thread(target=web.serve_forever)
    serving.start()
    nginx = subprocess.Popen([*nginx_with(tmp_path, site)], stderr=subprocess.DEVNULL)
    try:
        browser = requests.Session()
        browser.trust_env = browser.verify = False
        browser.headers["Host"] = f"kegui.intranet.example.com:{port}"
        address = f"https://127.0.0.1:{port}/login/local"
        page = until(lambda: answer_of(browser, address)).text
        [token, *_] = re.findall(r'name="csrf_token"[^>]* value="([^"]+)"', page)

        answer = browser.post(
            address,
            data={"csrf_token": token, "name": "nobody", "password": "x", "code": "1"},
            headers={"Referer": f"https://kegui.intranet.example.com:{port}/login/local"},
        )

        assert answer.status_code == 403
        assert "姓名、密码或动态码不正确" in answer.text
        elsewhere = {"Referer": "https://kegui.intranet.example.com/login/local"}
        assert (
            browser.post(address, data={"csrf_token": token}, headers=elsewhere).status_code == 400
        )
    finally:
        nginx.terminate()
        nginx.wait(10)
        web.shutdown()
        serving.join(10)
        cast(Any, database.obj).close_all()


def make_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kegui.example.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (folder / "kegui.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "kegui.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
