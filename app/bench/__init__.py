"""What `gridroom bench` measures, and the lean peers that it measures against."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Final

from app.bench.report import Figure, as_json, as_table

BENCHES: Final = {
    "acquisition": ("app.bench.acquisition",),
    "history": ("app.bench.history",),
    "trend": ("app.bench.trend", "widgets.trend.bench"),
    "alarms": ("app.bench.alarms",),
    "console": ("app.console.bench", "widgets.diagram.bench"),
    "mqtt": ("app.bench.mqtt",),
    "mixed": ("app.bench.mixed",),
    "faults": ("app.bench.faults",),
    "cleaning": ("app.bench.cleaning",),
    "audit": ("app.bench.audit",),
    "control": ("app.bench.control", "app.console.control.bench"),
    "iec104": ("app.bench.iec104", "app.bench.offered"),
}
"""Name -> the modules whose `run(seconds)` measures it. By name: screens are not imported here."""


def run(name: str, *, json: bool, seconds: float | None) -> int:
    """Measure and print. 0 when every goal holds, 1 when one fails, 2 for an unknown name."""
    if name not in BENCHES:
        print(f"gridroom bench: unknown name '{name}'; one of: {' '.join(BENCHES)}", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    for module in BENCHES[name]:
        found = importlib.import_module(module).run(seconds)
        figures += [Figure(**one) if isinstance(one, Mapping) else one for one in found]
    print(as_json(name, figures) if json else as_table(name, figures))
    return 0 if all(figure.holds for figure in figures) else 1
