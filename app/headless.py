"""The verbs that need no screen: engine, check, discover, sim, export, schema.

Heavy libraries come with the rooms that a verb imports itself: that a data folder is held is said before they are.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import sys
import textwrap
import time
from collections.abc import Sequence, Sized
from concurrent.futures import CancelledError
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.demo import is_demo, station_directory
from app.model.clock import from_datetime, to_datetime
from app.model.errors import ConfigFaults, GridroomError, wrong_input

if TYPE_CHECKING:
    from app.history.folder import DataFolder
    from app.model.commissioning import Proposal
    from app.starting import Ending
    from app.station import RunningStation

DONE: Final = 0
_LONGEST_TROUBLE: Final = 80
"""Characters of a status line."""

log = logging.getLogger("gridroom.headless")


def check(station: Path, overlay: Path | None) -> int:
    """Judge the files; ConfigFaults become exit 2 above."""
    from app.configuration import configure
    from app.control.loading import unsafe_alone

    configuration = configure(station_directory(station), overlay)
    if configuration.absent:  # the station would run without these devices
        raise ConfigFaults(configuration.absent)
    found = configuration.station
    strategies = f", {_count(configuration.strategies, 'strategy', 'strategies')}" if configuration.strategies else ""
    print(f"{found.directory}: good, {_count(found.devices, 'device')}, {_count(found.points, 'point')}{strategies}")
    if alone := unsafe_alone(found, configuration.strategies):
        print(
            f"{', '.join(alone)}: no timer of their own is known ('control: {{expiry: ...}}'); nothing makes them safe "
            "when the engine is gone",
            file=sys.stderr,
        )
    return DONE


def discover(driver: str, keys: Sequence[str], seconds: float) -> int:
    """Print what a driver finds on one connection, as devices of a station file."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    from app.commissioning.errors import EditError
    from app.commissioning.search import look_around, written
    from app.model.clock import SystemClock

    connection: dict[str, object] = {}
    for word in keys:
        key, is_, value = word.partition("=")
        try:
            connection[key] = YAML(typ="safe").load(value)
        except YAMLError:
            connection[key] = value
        if not (key and is_):
            raise wrong_input(f"'{word}' is no key of a connection", "write KEY=VALUE, such as host=192.168.1.5")
    found: dict[object, Proposal] = {}
    try:
        asyncio.run(
            look_around(
                driver,
                connection,
                Path(),
                SystemClock(),
                seconds,
                lambda one: found.__setitem__(one.device.get("id"), one),
            )
        )
    except EditError as error:
        what, _, mend = str(error).partition("; ")
        raise wrong_input(what, mend or "correct the connection") from None
    if found:
        print(written(tuple(found.values())), end="")
    seen = f"{_count(found, 'device')}; look them through before they go into a file" if found else "nobody was found"
    print(f"gridroom discover: {seen}", file=sys.stderr)
    return DONE


def _count(things: Sized, name: str, several: str = "") -> str:
    return f"{len(things)} {name if len(things) == 1 else several or name + 's'}"


def schema(form: str) -> int:
    """Print the JSON Schema of a file."""
    from app.schema import schema as make_schema

    print(json.dumps(make_schema(form), indent=1, ensure_ascii=False))
    return DONE


def engine(
    station: Path, data: Path | None, overlay: Path | None, duration_s: float | None, status_every_s: float | None
) -> int:
    """Run a station until a signal, or for a time, with a status line now and then."""
    from app.starting import Ending, running

    if data is None and not is_demo(station):
        raise wrong_input("no data folder", "say where history goes with --data DIR")
    ending = Ending()  # at once: what is being started is ended in order as well
    with running(station, data, overlay, "engine") as facade:
        _until_told(ending, facade, duration_s, status_every_s)
    return DONE


def _until_told(
    ending: Ending, running: RunningStation, duration_s: float | None, status_every_s: float | None
) -> None:
    now = time.monotonic()
    end = now + duration_s if duration_s is not None else math.inf
    status_at = now + status_every_s if status_every_s is not None else math.inf
    while not ending.told() and (now := time.monotonic()) < end:
        ending.wait(min(end, status_at) - now)
        if status_every_s is not None and time.monotonic() >= status_at:
            status_at = max(status_at + status_every_s, time.monotonic())
            if not _say(status_line(running)):
                status_at = math.inf


def _say(line: str) -> bool:
    """Print a line. Where nobody takes it, the station goes on without."""
    try:
        print(line, flush=True)
    except OSError as error:
        log.warning("status lines cannot be written any more (%s); the station goes on without them", error)
        forget_output()
        return False
    return True


def forget_output() -> None:
    """Nobody takes what we print: let it go nowhere, or the interpreter would try again at its end, and complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def status_line(running: RunningStation) -> str:
    """One line that tells how the station is."""
    health = running.health()
    local = to_datetime(running.now_ns()).astimezone(running.station.zone)
    history = _short(health.history.en) if health.history else "ok"
    active = running.alarms.active()
    unacknowledged = sum(row.acknowledged == 0 for row in active)
    return (
        f"{local:%H:%M:%S}  {running.mode}  devices {health.devices_online}/{health.devices_total}  "
        f"{health.points_per_s:,.0f} points/s  late p99 {health.late_p99_ms:.0f} ms  history {history}  "
        f"alarms {len(active)} ({unacknowledged} unacknowledged)"
    )


def _short(trouble: str) -> str:
    """Enough to know what it is; the alarm and the log say it whole."""
    return textwrap.shorten(trouble.partition(";")[0], _LONGEST_TROUBLE, placeholder="...")


def sim(
    station: Path,
    overlay: Path | None,
    *,
    time_factor: float,
    start: str | None,
    seed: int,
    base_port: int,
    duration_s: float | None,
) -> int:
    """Serve the station's devices until the parent or a signal ends it."""
    from app.configuration import configure
    from app.simulation.process import run

    if overlay is not None and (overlay.is_dir() or not overlay.parent.is_dir()):
        raise wrong_input(f"no overlay can be written to {overlay}", "name a file in a folder that is there with -o")
    found = configure(station_directory(station)).station
    start_ns = moment(start, found.timezone) if start is not None else None
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    asyncio.run(
        run(
            found,
            time_factor=time_factor,
            start=start_ns,
            seed=seed,
            base_port=base_port,
            overlay_path=overlay,
            duration_s=duration_s,
        )
    )
    return DONE


def export(station: Path, data: Path, points: str, *, start: str, end: str, every: str, output: Path) -> int:
    """Write history to a file."""
    from app.history.folder import DataFolder
    from app.starting import Ending

    ending = Ending()
    with DataFolder.open_existing(data, "gridroom export") as folder:
        return _export(station, folder, points, start, end, every, output, ending)


def _export(
    station: Path, folder: DataFolder, points: str, start: str, end: str, every: str, output: Path, ending: Ending
) -> int:
    from app.beside import audited, recording
    from app.configuration import configure
    from app.history.export.request import ExportError, ExportRequest
    from app.history.export.target import targets
    from app.history.reader import export_from_folder

    configuration = configure(station_directory(station))
    found = configuration.station
    request = ExportRequest(points, moment(start, found.timezone), moment(end, found.timezone), every, output)
    before = "; the file that was there is replaced" if output.exists() else ""
    try:
        request.judged(found.timezone)
        targets(found.directory, folder.path, found.audit.heads)(output)
        folder.belongs_to(found.id, claim=False)
        details = {"points": points, "from": start, "to": end, "every": every, "path": str(output)}
        with recording(configuration, folder) as opened:
            done = audited(
                opened, "station.export", details, lambda: export_from_folder(found, folder, request, ending.told)
            )
    except ExportError as error:
        raise wrong_input(*str(error).split("; ", 1)) from None
    except CancelledError:
        kept = f"{output} is as it was" if before else f"no {output} is left"
        raise GridroomError(f"interrupted; {kept}, start it again") from None
    print(f"{output}: {done.rows:,} rows{before}")
    if done.without:
        out = f"{done.without} of the chosen points are left out"
        print(f"gridroom export: {out}: they are not kept every {every}, only coarser and raw", file=sys.stderr)
    return DONE


def moment(text: str, timezone: str) -> int:
    """UTC nanoseconds of an ISO 8601 time; without an offset it is the station's zone."""
    from zoneinfo import ZoneInfo

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise wrong_input(f"'{text}' is not a time", "write ISO 8601, such as 2026-11-20T14:00") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(timezone))
    return from_datetime(moment)
