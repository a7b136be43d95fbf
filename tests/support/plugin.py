"""Packages with a driver in them, as an installer would leave them: modules and a `.dist-info` beside them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Final

SOUND: Final = """
    from drivers.contract import Driver, Link

    class Silent(Link):
        async def connect(self): pass
        async def close(self): pass

    class Sound(Driver):
        contract_version = 1
        def check(self, device): return []
        def line(self, device): return device.id
        def open(self, devices, clock, *, read_only): return Silent()
"""
"""A module with a driver that conforms in shape: its link can do nothing."""


def install(folder: Path, package: str, source: str, **names: str) -> None:
    """Put `package` into `folder`, which is on `sys.path`: module `source`, and entry points `name=object of it`.

    In a name, `_` stands for `-`.
    """
    (folder / f"{package}.py").write_text(dedent(source), encoding="utf-8")
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
    lines = [f"{name.replace('_', '-')} = {package}:{target}" for name, target in names.items()]
    (info / "entry_points.txt").write_text("\n".join(["[gridroom.drivers]", *lines, ""]), encoding="utf-8")
