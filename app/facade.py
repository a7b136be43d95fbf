"""What the console asks of a running station. `app.station` offers it; a test may stand in with plain data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol

from app.energy.figures import Figures
from app.history.export.request import ExportResult
from app.model.access import Grant, RoleRow, SecretRow, SessionRow, Standing, UserRow
from app.model.audit import AuditFilter, AuditRow, Verdict
from app.model.backtest import Report
from app.model.commissioning import Change, Contents, Preview, Proposal, Trial
from app.model.control import ControlState, Mode, ParamRow, PlanView, Quantity, ReplayView, Running, TemplateRow
from app.model.difference import Applied, VersionRow
from app.model.station import Station
from app.model.text import Text
from app.model.updates import Updates
from app.model.views import AlarmRow, DeviceStatus, Health, JournalRow, Series, Snapshot, SystemView


class HistoryService(Protocol):
    """What was true. Every slow call answers by a future, on a thread of its own."""

    def query(self, points: Sequence[str], start_ns: int, end_ns: int, pixels: int) -> Future[list[Series]]:
        """Series of full point names between two UTC nanoseconds, in a tier that suits the width in pixels."""


class JournalService(Protocol):
    """A journal, the newest row first, asked for in pages."""

    def journal(self, limit: int = 1000, before_id: int | None = None) -> Future[list[JournalRow]]:
        """At most `limit` rows older than `before_id`."""


class AlarmService(JournalService, Protocol):
    """What needs a person."""

    @property
    def version(self) -> int:
        """Grows with every change of `active()`."""

    def active(self) -> tuple[AlarmRow, ...]:
        """Alarms that are active or unacknowledged."""

    def acknowledge(self, ids: Sequence[int]) -> Future[tuple[int, ...]]:
        """Who is signed in has seen these occurrences; those that waited for it. Fails with Denied."""


class AccessService(Protocol):
    """Who is at this console. Futures fail with GridroomError in words."""

    def standing(self) -> Standing:
        """Who is signed in and how things are."""

    def why_not(self, method: str, devices: Collection[str] | None = None) -> Text | None:
        """Why `service.method` would be denied now, for these devices; None where it would not."""

    def sign_in(self, name: str, password: str) -> Future[Standing]:
        """Sign in, over whoever is here."""

    def sign_in_demo(self) -> Standing:
        """As the demo engineer, where there is one."""

    def name_administrator(self, name: str, password: str) -> Future[Standing]:
        """The first account of this station."""

    def change_password(self, old: str, new: str) -> Future[Standing]:
        """One's own."""

    def sign_out(self) -> Standing:
        """The session ends."""

    def lock(self) -> Standing:
        """Only looking is left, until somebody signs in."""

    def touch(self) -> None:
        """Somebody is working here."""

    def confirm(self, method: str, name: str, password: str) -> Future[None]:
        """A second person stands by for the next call of `service.method`."""


class ControlService(Protocol):
    """Setting and commanding. Futures fail with GridroomError in words; `device` may be `*` where a mode is set."""

    def state(self) -> ControlState:
        """Who acts on each channel, what each asked, what clipped it, what was sent and is held."""

    def ledger(
        self, text: str = "", meant: tuple[str, ...] = (), limit: int = 200, before_id: int | None = None
    ) -> Future[list[AuditRow]]:
        """Commands and what came of them, the newest row first."""

    def export_ledger(self, path: Path, text: str = "", meant: tuple[str, ...] = ()) -> Future[int]:
        """Commands and what came of them into a .csv or .xlsx file; the number of rows."""

    def replay(self, at_ns: int) -> Future[ReplayView]:
        """How it stood at any moment of the past."""

    def request(self, device: str, quantity: Quantity, value: float, reason: str = "") -> Future[float]:
        """Set a device that is in manual; done when the device holds what was allowed, which is the answer."""

    def request_many(
        self, values: Mapping[str, float], quantity: Quantity, reason: str = ""
    ) -> Future[dict[str, float]]:
        """Several devices in manual at one moment, or none; cancelled, each is led back to where it was."""

    def arm(self, device: str, role: str) -> str:
        """The first step of a command; the second takes the word within 30 s."""

    def command(self, device: str, role: str, armed: str, reason: str = "") -> Future[float]:
        """The second step."""

    def set_mode(self, device: str, mode: Mode, reason: str = "") -> Future[None]: ...

    def tag(self, device: str, reason: str) -> Future[None]: ...

    def untag(self, device: str, reason: str = "") -> Future[None]: ...

    def reset_trip(self, device: str, reason: str = "") -> Future[None]: ...

    def stop_all(self, reason: str = "") -> Future[None]:
        """The emergency stop."""

    def release_stop(self, reason: str = "") -> Future[None]: ...

    def run_strategy(self, strategy: str, running: Running, reason: str = "") -> Future[None]: ...


class StrategiesService(Protocol):
    """Parameters and plans of strategies, and trying before. Futures fail with GridroomError in words."""

    def parameters(self, strategy: str) -> list[ParamRow]:
        """As they are declared and given. Raises GridroomError."""

    def templates(self) -> Future[list[TemplateRow]]:
        """What a strategy may be made of, the newest version of each."""

    def add(
        self, strategy: str, template: str, devices: Sequence[str], params: Mapping[str, str], reason: str = ""
    ) -> Future[Applied]:
        """Another one, of a template and in shadow; parameters as YAML has them."""

    def remove(self, strategy: str, reason: str = "") -> Future[Applied]:
        """Without it; what only it has set is led to rest."""

    def plan(self, strategy: str) -> PlanView:
        """The plan that it tracks. Raises GridroomError."""

    def read_plan(self, strategy: str, path: Path) -> Future[PlanView]:
        """A plan out of a .csv or .xlsx file; nothing is changed."""

    def change(self, strategy: str, key: str, value: str, reason: str = "") -> Future[Applied]:
        """Another value of a parameter, as YAML has it; empty: its default."""

    def draw_plan(self, strategy: str, day: str, powers: Sequence[float], reason: str = "") -> Future[Applied]:
        """96 powers (kW, NaN: nothing planned) of a day (ISO 8601; empty: every day)."""

    def try_out(self, start_ns: int, end_ns: int, strategy: str = "", key: str = "", value: str = "") -> Future[Report]:
        """All that are not off, and `strategy`, over what was recorded; a parameter of it changed."""


class CommissioningService(Protocol):
    """Changing the station's file and trying devices. All futures fail with GridroomError in words."""

    @property
    def locked(self) -> Text | None:
        """Why nothing may be saved here, if that is so."""

    def contents(self) -> Future[Contents]:
        """What stands in the file, and what a device may name."""

    def template_points(self, template: str) -> Future[list[dict[str, Any]]]:
        """The points of a template as its file has them."""

    def connection_keys(self, driver_name: str) -> Future[Mapping[str, object]]:
        """The keys of a driver's connection, each with its default; None where there is none."""

    def preview(self, changes: Change | Sequence[Change], text: str | None = None) -> Future[Preview]:
        """What changes would make of the file."""

    def save(self, preview: Preview) -> Future[Path]:
        """Write it; where the version before is kept."""

    def discovering(self) -> Future[tuple[str, ...]]:
        """The driver words that can look for devices."""

    def discover(self, driver_name: str, connection: Mapping[str, Any], seconds: float) -> Future[tuple[Proposal, ...]]:
        """Look for devices on one connection; cancelling ends the search."""

    def discovered(self) -> tuple[Proposal, ...]:
        """Who has answered so far in the search that was begun last."""

    def try_(self, device: str, text: str | None = None) -> Future[Trial]:
        """Read every point of a device once, over a connection of its own."""


class AccountsService(Protocol):
    """Users, roles and sessions. Futures fail with GridroomError in words; without the right all is denied."""

    def users(self) -> list[UserRow]: ...

    def roles(self) -> list[RoleRow]: ...

    def areas(self) -> list[tuple[str, Text]]:
        """What a grant may name: id and name of the station, its elements, its devices."""

    def add(self, name: str, role: str) -> Future[str]:
        """A new account; the answer is its password for one sign-in."""

    def reset(self, name: str) -> Future[str]:
        """Another password for one sign-in, which is the answer."""

    def set_disabled(self, name: str, disabled: bool, reason: str = "") -> Future[None]: ...

    def set_role(self, name: str, role: str, reason: str = "") -> Future[None]: ...

    def copy_role(self, role: str, name: str, label: Text) -> Future[None]: ...

    def change_role(self, name: str, label: Text, grants: Collection[Grant]) -> Future[None]: ...

    def remove_role(self, name: str) -> Future[None]: ...

    def sessions(self) -> list[SessionRow]: ...

    def end_session(self, id_: str, reason: str = "") -> Future[bool]: ...


class AuditService(Protocol):
    """Who did what."""

    def rows(self, wanted: AuditFilter, limit: int = 500, before_id: int | None = None) -> Future[list[AuditRow]]:
        """A page, the newest first."""

    def verify(self, heads: Sequence[Path] = ()) -> Future[Verdict]:
        """Recompute the whole chain, and compare it with heads that were kept elsewhere."""

    def export(self, path: Path, wanted: AuditFilter) -> Future[int]:
        """Write it to a .csv or .xlsx file; how many rows."""


class SecretsService(Protocol):
    """Passwords, tokens and keys by name; never a value. Futures fail with GridroomError in words."""

    def rows(self) -> Future[list[SecretRow]]:
        """What the station asks for or has."""

    def put(self, name: str, value: str, reason: str = "") -> Future[None]:
        """Store one, in place of an older one."""

    def forget(self, name: str, reason: str = "") -> Future[None]: ...


class VersionsService(Protocol):
    """Versions of the station's files. Futures fail with GridroomError in words."""

    def rows(self, limit: int = 200) -> Future[list[VersionRow]]:
        """The newest first."""

    def texts(self, id_: int) -> Future[dict[str, str]]:
        """The files of a version, by their path in the station's folder."""

    def go_back(self, id_: int, reason: str = "") -> Future[Applied]:
        """Write the files of a version and give them to the running station, or refuse it whole."""


class StationFacade(Protocol):
    """One running station. Thread-safe; answers are plain data."""

    @property
    def station(self) -> Station: ...

    @property
    def mode(self) -> str:
        """LIVE, DEMO, READ ONLY or SHADOW."""

    @property
    def history(self) -> HistoryService: ...

    @property
    def alarms(self) -> AlarmService: ...

    @property
    def events(self) -> JournalService: ...

    @property
    def control(self) -> ControlService: ...

    @property
    def commissioning(self) -> CommissioningService: ...

    @property
    def strategies(self) -> StrategiesService: ...

    @property
    def access(self) -> AccessService: ...

    @property
    def accounts(self) -> AccountsService: ...

    @property
    def audit(self) -> AuditService: ...

    @property
    def versions(self) -> VersionsService: ...

    @property
    def secrets(self) -> SecretsService: ...

    def read_once(self, point: str) -> Future[Updates]:
        """Read one point, full name, from the field now: one row. Fails with DeviceError, or ValueError."""

    def apply(self, reason: str = "") -> Future[Applied]:
        """Give what stands in the station's files to the running station, or refuse it whole."""

    def snapshot(self) -> Snapshot:
        """The live table now."""

    def figures(self, snapshot: Snapshot) -> Figures:
        """The key figures of a snapshot."""

    def export(
        self,
        points: Sequence[str],
        start_ns: int,
        end_ns: int,
        every: str,
        path: Path,
        progress: Callable[[float], None],
    ) -> Future[ExportResult]:
        """Write full point names between two UTC nanoseconds into a .csv, .xlsx or .parquet file.

        every: raw, 1s, 5s, 15min or 1h. progress: told the share done, on another thread. Cancelling the future leaves
        no file. Fails with GridroomError in words.
        """

    def system(self) -> Future[SystemView]:
        """What it runs on."""

    def health(self) -> Health:
        """How the engine is."""

    def devices(self) -> list[DeviceStatus]:
        """Every device's connection, in the station's order."""
