"""The facade's part for commissioning: the station's file, changes to it, trials, single readings."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from app.commissioning.editing import append, difference, put, remove
from app.commissioning.trial import Trial, try_device
from app.configuration import configure
from app.history.whole import write_whole
from app.model.clock import Clock, to_datetime
from app.model.errors import ConfigFaults, Fault, GridroomError
from app.model.loading import STATION_FILE, TEMPLATES
from app.model.station import Station
from app.model.yaml_source import YamlSource

T = TypeVar("T")
LISTEN_S: Final = 5.0


class EditError(GridroomError):
    """A change that cannot be made. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Change:
    """A wish. `form` is a device or a point as it would stand in the file; None removes it."""

    device: str
    """Id of the device that is changed; empty for a new one."""
    form: Mapping[str, Any] | None
    point: str = ""
    """Id of its point that is changed, or overridden where the template has it; empty for the device itself."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change would make of the file. Nothing is written yet."""

    text: str
    difference: tuple[str, ...]
    """Lines of a unified difference."""
    faults: tuple[Fault, ...]
    """What is wrong with it; it can be saved only without any."""
    before: str
    """SHA-256 of the file that it was made from."""


@dataclass(frozen=True, slots=True)
class TemplateName:
    """A template that a device may name."""

    name: str
    vendor: str
    model: str
    kind: str
    source: str


class Commissioning:
    """Of one running station. Thread-safe; whatever takes time answers by a future."""

    def __init__(
        self, station: Station, backups: Path, clock: Clock, *, overlay: Path | None = None, locked: str = ""
    ) -> None:
        """`backups` takes the versions that are replaced; `locked` says why nothing may be saved, if that is so."""
        self._station = station
        self._file = station.directory / STATION_FILE
        self._backups = backups
        self._clock = clock
        self._overlay = overlay
        self._locked = locked
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="commissioning")

    def stop(self) -> None:
        """Wait for what runs. Nothing may be asked afterwards."""
        self._worker.shutdown(cancel_futures=True)

    def text(self) -> str:
        """The station's file as it stands. Raises EditError."""
        return self._source().text

    def form(self, device: str) -> dict[str, Any]:
        """A device as it stands in the file, without what its template adds. Raises EditError."""
        source = self._source()
        form: dict[str, Any] = source.data["devices"][_position(source, device)]
        return form

    def templates(self) -> Future[list[TemplateName]]:
        """Every template that this station may name, its own first."""
        return self._worker.submit(self._templates)

    def preview(self, change: Change, text: str | None = None) -> Future[Preview]:
        """What a change would make of the file, or of `text`, an earlier preview's. Fails with EditError."""
        return self._worker.submit(self._preview, change, text)

    def judge(self, text: str) -> Future[Preview]:
        """A text that a person edited as a whole, judged as the station's file."""
        return self._worker.submit(self._judged, text)

    def save(self, preview: Preview) -> Future[Path]:
        """Write it, keeping the version before; the path of that. The station takes it with its next start.

        Fails with EditError where it has faults, or the file has changed since.
        """
        return self._worker.submit(self._save, preview)

    def try_(self, device: str, text: str | None = None, seconds: float = LISTEN_S) -> Future[Trial]:
        """Try a device of the file, or of `text`, over a connection of its own. Fails with ConfigFaults, EditError."""

        def work() -> Trial:
            station = configure(self._station.directory, self._overlay, text).station
            if device not in station.by_id:
                raise EditError(f"there is no device '{device}'")
            return asyncio.run(try_device(station.by_id[device], self._clock, seconds))

        return self._worker.submit(work)

    # -------------------------------------------------------------------------------------------- on the worker

    def _source(self) -> YamlSource:
        source = YamlSource(self._file)
        if source.faults:
            raise EditError(f"{source.faults[0]}; mend the file in an editor first")
        return source

    def _preview(self, change: Change, text: str | None) -> Preview:
        source = YamlSource(self._file, text) if text is not None else self._source()
        try:
            return self._judged(_changed(source, change))
        except LookupError as error:
            raise EditError(str(error.args[0])) from error

    def _judged(self, text: str) -> Preview:
        before = self._source().text
        faults: tuple[Fault, ...] = ()
        try:
            configure(self._station.directory, self._overlay, text)
        except ConfigFaults as error:
            faults = error.faults
        lines = difference(before, text, STATION_FILE)
        return Preview(text, tuple(lines), faults, _digest(before))

    def _save(self, preview: Preview) -> Path:
        if self._locked:
            raise EditError(self._locked)
        if preview.faults:
            raise EditError(f"it is not saved: {preview.faults[0]}")
        before = self._source().text
        if _digest(before) != preview.before:
            raise EditError(f"{self._file} has changed meanwhile; nothing is written, look at the difference anew")
        stamp = to_datetime(self._clock.now_ns()).strftime("%Y%m%dT%H%M%SZ")
        kept = self._backups / f"{stamp}-{_digest(before)[:8]}-{STATION_FILE}"
        try:
            self._backups.mkdir(parents=True, exist_ok=True)
            write_whole(kept, before)
            write_whole(self._file, preview.text)
        except OSError as error:
            raise EditError(
                f"{error.filename or self._file} cannot be written ({error.strerror}); nothing is changed"
            ) from error
        return kept

    def _templates(self) -> list[TemplateName]:
        found: dict[str, TemplateName] = {}
        directory = self._station.directory.resolve()
        for root in (directory / "templates", directory.parent / "templates", TEMPLATES):
            for file in sorted(root.rglob("*.yaml")) if root.is_dir() else ():
                name = file.relative_to(root).with_suffix("").as_posix()
                data = YamlSource(file).data
                if name not in found and isinstance(data, dict):
                    words = (str(data.get(key, "")) for key in ("vendor", "model", "kind", "source"))
                    found[name] = TemplateName(name, *words)
        return list(found.values())


def _changed(source: YamlSource, change: Change) -> str:
    """The text with the change made. Raises LookupError where it has no place, EditError where it cannot be."""
    if not change.device:
        if change.form is None:
            raise EditError("name the device that is to be removed")
        return append(source, ("devices",), change.form)
    at = ("devices", _position(source, change.device))
    if not change.point:
        return remove(source, at) if change.form is None else put(source, at, change.form)
    points = source.data["devices"][at[1]].get("points") or []
    place = next((i for i, point in enumerate(points) if point.get("id") == change.point), None)
    if change.form is not None:
        if place is None:
            return append(source, (*at, "points"), change.form)
        return put(source, (*at, "points", place), change.form)
    if place is None:
        raise EditError(f"point {change.device}.{change.point} comes from the template, and cannot be removed here")
    return remove(source, (*at, "points", place))


def _position(source: YamlSource, device: str) -> int:
    for i, form in enumerate(source.data.get("devices") or []):
        if form.get("id") == device:
            return i
    raise EditError(f"{source.file} has no device '{device}'; it may have been removed meanwhile")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
