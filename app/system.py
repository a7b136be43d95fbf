"""What a station runs on: folders and disks, the machine, versions of all parts."""

from __future__ import annotations

import os
import platform
import shutil
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from app import __version__
from app.model.views import Place

_LONGEST_LICENCE: Final = 60
_OPTIONAL: Final = ("c104",)


def place(path: Path) -> Place:
    """A folder, what is stored in it, and its disk. Symbolic links are not followed: they lead elsewhere."""
    used = sum(
        entry.stat(follow_symlinks=False).st_size
        for folder, _, files in os.walk(path)
        for entry in _files(Path(folder), files)
    )
    disk = shutil.disk_usage(path)
    return Place(str(path), used, disk.free, disk.total)


def _files(folder: Path, names: list[str]) -> list[os.DirEntry[str]]:
    wanted = frozenset(names)
    with os.scandir(folder) as entries:
        return [entry for entry in entries if entry.name in wanted]


@cache
def parts() -> tuple[tuple[str, str, str], ...]:
    """(name, version, licence) of Gridroom and of what it is declared to stand on."""
    try:
        required = distribution("gridroom").requires or []
    except PackageNotFoundError:  # run from a folder that was not set up
        required = []
    names = sorted({line.split(";")[0].split("[")[0].split("=")[0].strip() for line in required} | set(_OPTIONAL))
    return ("Gridroom", __version__, "Apache-2.0"), *(found for name in names if (found := _part(name)))


def _part(name: str) -> tuple[str, str, str] | None:
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return None
    told = {key.lower(): value for key, value in found.metadata.json.items()}
    licence = str(told.get("license_expression") or told.get("license") or "")
    first = licence.strip().splitlines()[0] if licence.strip() else _classified(found.metadata.get_all("Classifier"))
    return found.metadata["Name"], found.version, first[:_LONGEST_LICENCE]


def _classified(classifiers: list[str] | None) -> str:
    ours = [one.rpartition(" :: ")[2] for one in classifiers or () if one.startswith("License ::")]
    return ", ".join(ours)


def machine() -> str:
    """Name, system and processor."""
    return f"{platform.node()}, {platform.system()} {platform.release()}, {platform.machine()}"
