"""The lock: everything in it exactly, hashed, and from nowhere in particular."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
IEC104_LOCK = (ROOT / "requirements-iec104.lock").read_text(encoding="utf-8")
ENTRIES = [entry for lock in (LOCK, IEC104_LOCK) for entry in re.split(r"\n(?=\S)", lock) if not entry.startswith("#")]


def test_every_entry_is_exact_and_hashed() -> None:
    for entry in ENTRIES:
        assert re.match(r"[a-z0-9._-]+==[^\s;\\]+", entry), entry.splitlines()[0]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), entry.splitlines()[0]


def test_it_names_no_place() -> None:
    for lock in (LOCK, IEC104_LOCK):
        assert "://" not in lock
        assert not re.search(r"^\s*(-i|-f|--(extra-)?index-url|--find-links)\b", lock, re.MULTILINE)


def test_it_holds_what_the_project_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    locked = dict(re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", LOCK, re.MULTILINE))
    for requirement in declared:
        name, _, version = requirement.partition("==")
        name = re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()
        assert locked[name] == (version or locked[name]), requirement
    (iec104,) = project["project"]["optional-dependencies"]["iec104"]
    assert iec104 == IEC104_LOCK.split()[0], "the GPL part stands in a lock of its own"
    assert "c104" not in locked
    assert all("==" in requirement for requirement in project["project"]["dependencies"])
