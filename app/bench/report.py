"""What a measurement says, as a table for people or JSON for scripts (contracts, "Bench JSON")."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. `limit` is the bare library or physical bound of the same run; without a goal it holds."""

    name: str
    value: float | None
    unit: str
    goal: float | None = None
    holds: bool = True
    limit: str | float | None = None

    @staticmethod
    def at_most(name: str, value: float, unit: str, goal: float, limit: str | float | None = None) -> Figure:
        return Figure(name, value, unit, goal, value <= goal, limit)

    @staticmethod
    def at_least(name: str, value: float, unit: str, goal: float, limit: str | float | None = None) -> Figure:
        return Figure(name, value, unit, goal, value >= goal, limit)


def machine() -> str:
    """The machine in one line: processor, cores, memory, system, Python."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    import psutil

    memory_gib = psutil.virtual_memory().total / 2**30
    return (
        f"{model}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def as_json(name: str, figures: Sequence[Figure]) -> str:
    return json.dumps(
        {"name": name, "machine": machine(), "figures": [asdict(figure) for figure in figures]}, ensure_ascii=False
    )


def as_table(name: str, figures: Sequence[Figure]) -> str:
    rows = [("figure", "value", "unit", "goal", "", "limit")]
    for figure in figures:
        verdict = "" if figure.goal is None else "holds" if figure.holds else "FAILS"
        rows.append(
            (figure.name, _number(figure.value), figure.unit, _number(figure.goal), verdict, _number(figure.limit))
        )
    widths = [max(len(row[i]) for row in rows) for i in range(6)]
    lines = [
        "  ".join(
            cell.rjust(w) if i in (1, 3) else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join([f"gridroom bench {name} on {machine()}", *(line.rstrip() for line in lines)])


def _number(value: str | float | None) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
