"""One running station: the composition root, and the facade that pages, scripts and the API talk to.

What the facade answers is plain data (`app.model.views`); slow answers are futures. All of it may be called from any
thread.
"""

from __future__ import annotations

import gc
import logging
import platform
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, cast

from app import __version__
from app.access.assembly import Access
from app.access.audit import Audit
from app.access.secrets.service import Secrets
from app.access.secrets.vault import Vault
from app.alarms.events import Events
from app.alarms.service import Alarms
from app.changing import Parts, change
from app.commissioning.service import Commissioning
from app.configuration import Configuration, configure
from app.control.kept import FILE_NAME
from app.control.service import Control
from app.energy.figures import Figures
from app.energy.service import KeyFigures
from app.engine.engine import Engine
from app.engine.thread import EngineThread
from app.facade import StationFacade
from app.history.export.request import ExportRequest, ExportResult
from app.history.export.target import targets
from app.history.service import History
from app.model.access import Action, Actor, Changed, permit
from app.model.audit import AuditEntry
from app.model.clock import SECOND_NS, Clock, SystemClock
from app.model.config import Priority
from app.model.difference import Applied, Outline, differences, outline
from app.model.errors import GridroomError
from app.model.station import Station
from app.model.text import Text
from app.model.updates import Updates
from app.model.views import DeviceStatus, Health, LinkState, Snapshot, SystemView
from app.northbound.service import Northbound
from app.place import here, user
from app.records.places import place_of
from app.records.service import Records
from app.strategy_settings import StrategySettings
from app.system import machine, parts, place
from app.versions import Versions

SERVICES: Final = (
    "history", "alarms", "events", "control", "strategies", "northbound", "commissioning", "accounts", "audit",
    "secrets", "versions",
)  # fmt: skip
"""What a door leads to, beside the station itself."""

KEPT_WITHIN_S: Final = 5.0
"""So long a change waits for its version to be stored. Where the records are away it is stored later."""

log = logging.getLogger("gridroom.station")

_DEMO_LOCKED = Text(
    "the demo station stays as it is; copy its folder, and open the copy, to change it",
    "演示站保持原样；如需修改，请复制其文件夹并打开副本",
)


class RunningStation:
    """Builds, starts and stops the parts of one station in order."""

    def __init__(
        self,
        configuration: Configuration,
        data: Path,
        *,
        clock: Clock | None = None,
        demo: bool = False,
        overlay: Path | None = None,
    ) -> None:
        """`data` is the folder that the caller holds (`app.history.folder.DataFolder`); `overlay` the file by which
        the configuration was made, if there is one."""
        self._station = configuration.station
        self._configuration = configuration
        self._overlay = overlay
        self._clock = clock or SystemClock()
        self._demo = demo
        self._runs = False
        """Since the audit knows that it started, until it knows that it stopped."""
        self._started_ns = self._clock.monotonic_ns()
        self._started_wall_ns = self._clock.now_ns()
        self.data = data
        self._may_write = targets(self.station.directory, data, self.station.audit.heads)
        self.secrets = Secrets(Vault(data, self.station.id), self._secret_uses)
        place = place_of(self.station, data, sole=True)
        self.records = Records(data, on_trouble=self._on_trouble, place=place)
        self.alarms = Alarms(self.station, self.records, self._clock)
        self.events = Events(self.station, self.records, self._clock)
        self.history = History(
            self.station, data, self._clock, on_trouble=self._on_trouble,
            on_late=lambda: self._thread.call(self._restore),
        )  # fmt: skip
        self.northbound = Northbound(
            configuration.centres,
            self.station,
            self._clock,
            journal=self.events.note,
            on_trouble=self._on_trouble,
            decide=lambda order: self.control.order(order),  # noqa: PLW0108 (it is made later)
        )
        self._engine = Engine(
            self.station,
            configuration.expressions,
            self._clock,
            sinks=(self.history, self.alarms, self.events, self.northbound),
            on_tick=self.alarms.tick,
            on_clock_jump=self._on_clock_jump,
            on_values=lambda points: self.control.heard(points),  # noqa: PLW0108 (it is made later)
        )
        heads = self.station.audit.heads
        self.audit = Audit(
            self.records, self._clock, self.station.id, zone=self.station.zone, logs=data / "logs",
            outbox=data / "outbox", may_write=self._may_write, heads=self.station.directory / heads if heads else None,
            on_trouble=self._on_trouble,
        )  # fmt: skip
        self._access = Access(self.records, self.audit, self._clock, lambda: self._station, demo=demo)
        self.accounts = self._access.accounts
        self._changing = threading.Lock()
        self._background = ThreadPoolExecutor(1, thread_name_prefix="station")
        locked = _DEMO_LOCKED if demo else None
        self.commissioning = Commissioning(self.station, data / "backups", self._clock, overlay=overlay, locked=locked)
        self.versions = Versions(
            self.records, self._clock, self.station.directory, data / "backups", apply=self._apply, locked=locked
        )
        self.strategies = StrategySettings(
            lambda: self._configuration, data / "backups", self._clock, apply=self._apply, query=self.history.query,
            decided=lambda: {row.id: row.running for row in self.control.state().strategies},
            overlay=overlay, locked=locked,
        )  # fmt: skip
        self._figures = KeyFigures(self.station, self._clock, self.history.query)
        self._thread = EngineThread(self._engine, self._on_engine_failure)
        self.control = Control(
            self.station,
            configuration.strategies,
            self.audit,
            data / FILE_NAME,
            self._clock,
            field=self._engine,
            table=lambda: self._engine.table,
            ask=self._thread.ask,
            alarm=self._on_control,
            journal=self.audit.rows,
            query=self.history.query,
            accepting=lambda: {one.id for one in self._configuration.centres if one.accepts_orders},
            export=self.audit.export,
            publish=self._engine.publish,
        )

    @property
    @permit(Action.VIEW)
    def station(self) -> Station:
        """What it is made of."""
        return self._station

    @property
    @permit(Action.VIEW)
    def mode(self) -> str:
        """LIVE, DEMO or READ ONLY."""
        return "DEMO" if self._demo else "READ ONLY" if self.station.read_only else "LIVE"

    def start(self) -> None:
        """Secrets and records first, the field last. What started is stopped again when a later part cannot."""
        try:
            self.secrets.start()
            self.records.start()
            self.audit.start()
            self._access.start()
            self._note("station.started", details={"config": self.station.config_hash, "version": __version__})
            self._runs = True
            self._background.submit(self._keep_version, Actor(user(), "", here("start")))
            self.alarms.start()
            self.events.start()
            self.history.start()
            self._restore()
            self.northbound.start()
            self._thread.start()
            self.control.start()
            gc.collect()
            gc.freeze()  # what was built for good is not searched again: a full collection held the loop 40 ms
        except BaseException:
            self.stop()
            raise
        log.info("station %s runs, %d points, data in %s", self.station.id, len(self.station.points), self.data)

    def stop(self) -> None:
        """The field first, so that nothing new comes; then what is pending is written. Safe to call twice."""
        gc.unfreeze()
        with ExitStack() as last_first:  # each one, also when another fails
            last_first.callback(self.secrets.stop)
            last_first.callback(self.records.stop)
            last_first.callback(self.audit.stop)
            if self._runs:
                last_first.callback(self._note, "station.stopped")
            self._runs = False
            last_first.callback(self._background.shutdown)
            for part in (
                self.history, self.alarms, self.northbound, self._thread, self.control, self.versions,
                self.strategies,
                self.commissioning, self._access,
            ):  # fmt: skip
                last_first.callback(part.stop)

    def facade(self, origin: str) -> StationFacade:
        """The station as it is handed out to a door: a console, a script. Whatever is asked of it passes the gate.

        `origin`: what the audit says of where somebody came from.
        """
        services = {name: getattr(self, name) for name in SERVICES}
        return cast(StationFacade, self._access.facade(origin, self, services))

    @permit(Action.VIEW)
    def now_ns(self) -> int:
        """The station's time, UTC nanoseconds."""
        return self._clock.now_ns()

    @permit(Action.VIEW)
    def snapshot(self) -> Snapshot:
        """What is true now."""
        return self._engine.table.snapshot(self._clock.now_ns())

    @permit(Action.VIEW)
    def devices(self) -> list[DeviceStatus]:
        """Every connection, in the station's order."""
        return self._engine.devices()

    @permit(Action.VIEW)
    def figures(self, snapshot: Snapshot) -> Figures:
        """The key figures of a snapshot; of the present moment, where the configuration has changed since."""
        figures, station = self._figures, self._station
        return figures.read(snapshot if snapshot.configuration == station.config_hash else self.snapshot())

    @permit(Action.EXPORT, changes=True)
    def export(
        self,
        points: Sequence[str],
        start_ns: int,
        end_ns: int,
        every: str,
        path: Path,
        progress: Callable[[float], None] | None = None,
    ) -> Future[ExportResult]:
        """Write history to a .csv, .xlsx or .parquet file; `progress` is told the share done, on another thread."""
        request = ExportRequest(tuple(points), start_ns, end_ns, every, path, progress=progress)
        self._may_write(path)
        return self.history.export(request)

    def _device_of(self, arguments: Mapping[str, Any]) -> tuple[str, ...]:
        return (str(arguments["point"]).partition(".")[0],)

    @permit(Action.PROBE, where=_device_of)
    def read_once(self, point: str) -> Future[Updates]:
        """Read one point (full name) from the field now, beside its schedule; one row, which the table takes as well.

        Fails with DeviceError, or with ValueError for a point that cannot be read.
        """
        return self._thread.ask(self._engine.read_once(self.station.points[self.station.by_name[point]]))

    @permit(Action.CONFIGURE, changes=True)
    def apply(self, reason: str = "", *, who: Actor) -> Future[Any]:
        """Give what stands in the station's files to the running station; devices on other lines are not touched.

        Answers with Applied. Fails with ConfigFaults or GridroomError, and then nothing has changed.
        """

        def work() -> Changed[Applied]:
            before = self.station.config_hash
            applied = self._apply(who)
            return Changed(applied, {"hash": before}, {"hash": applied.config_hash, "changes": applied.rows})

        return self._background.submit(work)

    def _apply(self, who: Actor) -> Applied:
        """On one thread at a time. Raises ConfigFaults, GridroomError."""
        with self._changing:
            before, after = self._configuration, configure(self.station.directory, self._overlay)
            if before.station.config_hash == after.station.config_hash:
                return Applied(after.station.config_hash, (), ())
            figures = KeyFigures(after.station, self._clock, self.history.query)

            def swap() -> None:
                self._configuration, self._station, self._figures = after, after.station, figures

            parts = Parts(
                self._engine, self._thread, self.history, self.alarms, self.events, self.northbound, self.control
            )
            succession = change(parts, before.station, after, swap)
            rows = differences(_outline(before), _outline(after))
            wait((self._keep_version(who),), KEPT_WITHIN_S)
            log.info(
                "configuration %s runs, %d changes, %d devices reconnected",
                after.station.config_hash[:12], len(rows), len(succession.beginning),
            )  # fmt: skip
            return Applied(after.station.config_hash, rows, tuple(sorted(succession.beginning)))

    def _keep_version(self, who: Actor) -> Future[Any]:
        """What runs goes into the records, now or when they can be written again. It runs in any case."""
        configuration = self._configuration
        kept: Future[Any]
        try:
            kept = self.versions.loaded(configuration.station.config_hash, _outline(configuration), who)
        except (GridroomError, OSError) as error:
            kept = Future()
            kept.set_exception(error)
        kept.add_done_callback(_tell_unkept)
        return kept

    @permit(Action.AUDIT)
    def system(self) -> Future[SystemView]:
        """What it runs on."""
        return self._background.submit(self._system)

    def _system(self) -> SystemView:
        return SystemView(
            place(self.data), place(self.station.directory), self.station.config_hash, self._started_wall_ns,
            machine(), platform.python_version(), parts(),
        )  # fmt: skip

    @permit(Action.VIEW)
    def health(self) -> Health:
        """How the engine is."""
        devices = self._engine.devices()
        return Health(
            points_per_s=self._engine.points_per_s,
            devices_online=sum(device.state is LinkState.ONLINE for device in devices),
            devices_total=sum(device.driver is not None for device in self.station.devices),
            history=self.history.trouble(),
            late_p99_ms=self._engine.lateness.percentile_ms(99),
            uptime_s=(self._clock.monotonic_ns() - self._started_ns) / SECOND_NS,
        )

    @property
    def points_total(self) -> int:
        """Rows from the field since the start."""
        return self._engine.points_total

    @property
    def late_worst_ms(self) -> float:
        """The latest beginning of a scan since the start or `reset_figures`."""
        return self._engine.lateness.worst_ms()

    def reset_figures(self) -> None:
        """Forget lateness and late scans so far: what a measurement counts begins now."""
        self._engine.reset_figures()

    def _restore(self) -> None:
        """Totals and counters go on where the last run stored them; also when that is known only while they count."""
        known = self.station.by_name
        stored = self.history.last_values()
        last = {known[name]: row for name, row in stored.items() if name in known}
        self._engine.computed.restore(last, self._clock.now_ns())
        self._engine.cleaning.restore(last)

    def _secret_uses(self) -> dict[str, list[str]]:
        return self._configuration.secret_uses()

    def _note(self, what: str, **more: Any) -> None:
        """Something that happened to the station itself, for the audit."""
        actor = Actor("", "config", f"config {self.station.config_hash[:12]}")
        self.audit.write(AuditEntry(actor, what, self.station.id, **more))

    def _on_trouble(self, key: str, message: Text | None) -> None:
        """Trouble of Gridroom's own, logged by who has it, becomes an alarm; None ends it. Any thread."""
        if message is None:
            self.alarms.clear_system(key)
        else:
            self.alarms.raise_system(key, message, Priority.HIGH)

    def _on_control(self, key: str, message: Text | None, priority: Priority) -> None:
        """What control tells of a device becomes an alarm; None ends it."""
        if message is None:
            self.alarms.clear_system(key)
        else:
            self.alarms.raise_system(key, message, priority)

    def _on_engine_failure(self) -> None:
        en = "acquisition has stopped by an error of Gridroom's own; restart it and send its log"
        self.alarms.raise_system("engine", Text(en, "采集引擎因内部错误停止，请重启程序并反馈日志"), Priority.URGENT)

    def _on_clock_jump(self, seconds: float) -> None:
        """It happened and is over; the alarm stays until somebody has seen it."""
        en = f"the clock was set by {seconds:+.1f} s; check the time source"
        self.alarms.raise_system("clock", Text(en, f"系统时钟跳变 {seconds:+.1f} s，请检查对时"), Priority.MEDIUM)
        self.alarms.clear_system("clock")
        self._note("clock.jumped", details={"seconds": round(seconds, 3)})


def _tell_unkept(kept: Future[Any]) -> None:
    if (error := kept.exception()) is not None:
        log.error("this version of the configuration is not kept: %s; mend it and load it again", error)


def _outline(configuration: Configuration) -> Outline:
    return outline(configuration.station, configuration.centres, configuration.strategies)
