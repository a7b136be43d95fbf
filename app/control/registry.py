"""Kinds of strategies by name: ours, and those of others by the entry point `gridroom.strategies`."""

from __future__ import annotations

import logging
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Final

from app.control.strategies.backup import BackupReserve
from app.control.strategies.contract import Strategy
from app.control.strategies.curtailment import Curtailment
from app.control.strategies.demand import DemandControl
from app.control.strategies.limits import ExportLimit, ImportLimit, ZeroExport
from app.control.strategies.peak_shaving import PeakShaving
from app.control.strategies.plan_tracking import PlanTracking
from app.control.strategies.power_factor import PowerFactor
from app.control.strategies.ramp_limit import RampLimit
from app.control.strategies.soc import SocManagement
from app.control.strategies.tariff_schedule import TariffSchedule

GROUP: Final = "gridroom.strategies"
Kind = type[Strategy[Any, Any]]
OURS: Final[dict[str, Kind]] = {
    kind.kind: kind
    for kind in (
        PeakShaving, DemandControl, TariffSchedule, SocManagement, PlanTracking, Curtailment, ZeroExport, ImportLimit,
        ExportLimit, RampLimit, PowerFactor, BackupReserve,
    )
}  # fmt: skip

_log = logging.getLogger("gridroom.control")


@cache
def kinds() -> dict[str, Kind]:
    """Every kind that can be used. A plugin that cannot be loaded is named in the log and left out; none takes ours."""
    found = dict(OURS)
    for entry in entry_points(group=GROUP):
        try:
            kind = entry.load()
            if not (isinstance(kind, type) and issubclass(kind, Strategy)):
                raise TypeError(f"{entry.value} is no Strategy")
            if entry.name in OURS:
                raise ValueError(f"'{entry.name}' is a kind of Gridroom's own")
            found[entry.name] = kind
        except Exception as error:  # whatever a foreign package raises stays with it
            _log.error(
                "the strategy '%s' cannot be used (%s: %s); tell who wrote it", entry.name, type(error).__name__, error
            )
    return found
