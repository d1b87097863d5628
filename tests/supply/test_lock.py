"""What the image installs: written down with digests, and nothing else than what is tested."""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
# With it the image builds Kegui itself.
BUILDER = "setuptools"


def pinned(name: str) -> dict[str, str]:
    """The versions in a file of requirements."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^ \n]+)", (ROOT / name).read_text(), re.MULTILINE)
    return {canonicalize_name(package): version for package, version in found}


def needed(requirement: str, seen: set[tuple[str, str]]) -> Iterator[str]:
    """Everything that has to be installed for a requirement, here and now."""
    asked = Requirement(requirement)
    name = str(canonicalize_name(asked.name))
    for extra in ("", *asked.extras):
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        yield name
        for inner in requires(name) or ():
            marker = Requirement(inner).marker
            if marker is None or marker.evaluate({"extra": extra}):
                yield from needed(inner, seen)


def test_the_lock_has_what_kegui_needs_and_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    seen: set[tuple[str, str]] = set()
    wanted = {name for one in project["dependencies"] for name in needed(one, seen)}

    assert set(pinned("requirements.lock")) == wanted | {BUILDER}


def test_the_lock_has_the_versions_that_are_tested() -> None:
    tested = pinned("constraints.txt")

    assert {
        name: (version, tested.get(name))
        for name, version in pinned("requirements.lock").items()
        if version != tested.get(name)
    } == {}


def test_nothing_is_locked_without_its_digests() -> None:
    for name in ("requirements.lock", "tools.lock"):
        text = (ROOT / name).read_text()
        entries = re.split(r"\n(?=[a-z0-9])", text[text.index("\n\n") if "\n\n" in text else 0 :])
        packages = [entry for entry in entries if "==" in entry]
        assert len(packages) == len(pinned(name)) > 20
        assert [one for one in packages if "--hash=sha256:" not in one] == []


def test_the_image_installs_by_the_lock_alone() -> None:
    steps = re.findall(r"^RUN pip install (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    assert steps == [
        "--require-hashes --requirement requirements.lock",
        "--no-index --no-deps --no-build-isolation --editable .",
    ]
    copied = (ROOT / ".dockerignore").read_text().splitlines()
    for name in ("pyproject.toml", "requirements.lock", "README.md", "LICENSE"):
        assert f"!{name}" in copied
