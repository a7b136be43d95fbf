"""The facade's part for commissioning: the station's file, changes to it, trials, single readings."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from app.commissioning.editing import append, difference, put, remove
from app.commissioning.errors import EditError
from app.commissioning.field import FieldThread
from app.commissioning.search import discovering, look_around
from app.commissioning.trial import try_device
from app.configuration import configure
from app.history.whole import write_whole
from app.model.access import Action, permit
from app.model.clock import Clock, to_datetime
from app.model.commissioning import Change, Contents, Preview, Proposal, TemplateName, Trial
from app.model.errors import ConfigFaults, Fault, mend_of
from app.model.loading import TEMPLATES
from app.model.named_files import STATION_FILE
from app.model.station import Station
from app.model.text import Text
from app.model.yaml_source import YamlSource
from drivers.registry import driver, names

T = TypeVar("T")
LISTEN_S: Final = 5.0


class Commissioning:
    """Of one running station. Thread-safe; whatever takes time answers by a future."""

    def __init__(
        self, station: Station, backups: Path, clock: Clock, *, overlay: Path | None = None, locked: Text | None = None
    ) -> None:
        """`backups` takes the versions that are replaced; `locked` says why nothing may be saved, if that is so."""
        self._station = station
        self._file = station.directory / STATION_FILE
        self._backups = backups
        self._clock = clock
        self._overlay = overlay
        self._locked = locked
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="commissioning")
        self._field = FieldThread()
        """Beside the worker: while a device keeps a trial waiting, what one types is judged all the same."""
        self._found: dict[str, Proposal] = {}

    def stop(self) -> None:
        """Wait for what runs; end trials and searches. Nothing may be asked afterwards."""
        self._field.stop()
        self._worker.shutdown(cancel_futures=True)

    @property
    @permit(Action.VIEW)
    def locked(self) -> Text | None:
        """Why nothing may be saved here, whoever asks; None where it may."""
        return self._locked

    def text(self) -> str:
        """The station's file as it stands. Raises EditError."""
        return self._source().text

    def form(self, device: str) -> dict[str, Any]:
        """A device as it stands in the file, without what its template adds. Raises EditError."""
        source = self._source()
        form: dict[str, Any] = source.data["devices"][_position(source, device)]
        return form

    @permit(Action.CONFIGURE)
    def templates(self) -> Future[list[TemplateName]]:
        """Every template that this station may name, its own first."""
        return self._worker.submit(self._templates)

    @permit(Action.CONFIGURE)
    def contents(self) -> Future[Contents]:
        """What stands in the file, and what a new device may name. Fails with EditError."""
        return self._worker.submit(self._contents)

    @permit(Action.CONFIGURE)
    def template_points(self, template: str) -> Future[list[dict[str, Any]]]:
        """The points of a template as they stand in its file. Fails with EditError where there is none of the name."""
        return self._worker.submit(self._template_points, template)

    @permit(Action.CONFIGURE)
    def connection_keys(self, driver_name: str) -> Future[Mapping[str, object]]:
        """The keys that a driver's connection may have, each with its default; None where there is none.

        Empty where nobody knows them.
        """
        return self._worker.submit(lambda: driver(driver_name).keys() if driver_name in names() else {})

    @permit(Action.CONFIGURE)
    def preview(self, changes: Change | Sequence[Change], text: str | None = None) -> Future[Preview]:
        """What changes, one after the other, would make of the file, or of `text`, an earlier preview's.

        Fails with EditError.
        """
        return self._worker.submit(self._preview, [changes] if isinstance(changes, Change) else list(changes), text)

    @permit(Action.CONFIGURE)
    def judge(self, text: str) -> Future[Preview]:
        """A text that a person edited as a whole, judged as the station's file."""
        return self._worker.submit(self._judged, text)

    @permit(Action.CONFIGURE, changes=True, hide=("preview",))
    def save(self, preview: Preview) -> Future[Path]:
        """Write it, keeping the version before; the path of that. The running station takes it with `apply`.

        Fails with EditError where it has faults, or the file has changed since.
        """
        return self._worker.submit(self._save, preview)

    @permit(Action.CONFIGURE, changes=True, hide=("text",))
    def try_(self, device: str, text: str | None = None, seconds: float = LISTEN_S) -> Future[Trial]:
        """Try a device of the file, or of `text`, over a connection of its own. Fails with ConfigFaults, EditError."""

        async def work() -> Trial:
            station = configure(self._station.directory, self._overlay, text).station
            if device not in station.by_id:
                raise EditError(Text(f"there is no device '{device}'", f"没有设备“{device}”"))
            return await try_device(station.by_id[device], self._clock, seconds)

        return self._field.ask(work)

    @permit(Action.CONFIGURE)
    def discovering(self) -> Future[tuple[str, ...]]:
        """The driver words that can look for devices."""
        return self._worker.submit(discovering)

    @permit(Action.CONFIGURE)
    def discover(
        self, driver_name: str, connection: Mapping[str, Any], seconds: float = LISTEN_S
    ) -> Future[tuple[Proposal, ...]]:
        """Look for devices on one connection; what has answered so far is `discovered()`. Cancelling ends the search.

        Nothing is written to the field or to a file. Fails with DeviceError, or EditError where it cannot be asked.
        """
        found: dict[str, Proposal] = {}
        self._found = found

        async def work() -> tuple[Proposal, ...]:
            await look_around(
                driver_name, connection, self._station.directory, self._clock, seconds,
                lambda one: found.__setitem__(str(one.device.get("id")), one),
            )  # fmt: skip
            return tuple(found.values())

        return self._field.ask(work)

    @permit(Action.CONFIGURE)
    def discovered(self) -> tuple[Proposal, ...]:
        """Who has answered so far in the search that was begun last."""
        return tuple(self._found.copy().values())

    # -------------------------------------------------------------------------------------------- on the worker

    def _source(self) -> YamlSource:
        source = YamlSource(self._file)
        if source.faults:
            first = source.faults[0]
            said = first.line_of(first.file)
            raise EditError(Text(f"{said.en}; mend the file in an editor first", f"{said.zh}；请先用编辑器改正该文件"))
        return source

    def _preview(self, changes: Sequence[Change], text: str | None) -> Preview:
        source = YamlSource(self._file, text) if text is not None else self._source()
        try:
            for change in changes:
                source = YamlSource(self._file, _changed(source, change))
        except LookupError as error:
            raise EditError(str(error.args[0])) from error
        return self._judged(source.text, _called(changes))

    def _judged(self, text: str, device: str = "") -> Preview:
        before = self._source().text
        faults: tuple[Fault, ...] = ()
        try:
            configure(self._station.directory, self._overlay, text)
        except ConfigFaults as error:
            faults = error.faults
        lines = difference(before, text, STATION_FILE)
        places = self._places(faults, text, device) if device and faults else ((),) * len(faults)
        return Preview(text, tuple(lines), faults, _digest(before), places)

    def _places(self, faults: Sequence[Fault], text: str, device: str) -> tuple[tuple[str, ...], ...]:
        """As `Preview.places`."""
        data = YamlSource(self._file, text).data
        listed = data.get("devices") if isinstance(data, dict) else None
        devices: list[Any] = listed if isinstance(listed, list) else []
        found: list[tuple[str, ...]] = []
        for fault in faults:
            match fault.path if fault.file == self._file and devices else ():
                case ("devices", int(i), "points", int(j), *rest) if devices[i].get("id") == device:
                    steps = ["points", devices[i]["points"][j].get("id"), *rest]
                case ("devices", int(i), *rest) if devices[i].get("id") == device:
                    steps = rest
                case _:
                    steps = []
            found.append(tuple(map(str, steps)))
        return tuple(found)

    def _save(self, preview: Preview) -> Path:
        if self._locked is not None:
            raise EditError(self._locked)
        faults = self._judged(preview.text).faults  # whoever asks may say of it what he likes
        if faults:
            raise EditError(faults[0].line_of(self._file).at(Text("it is not saved", "未保存")))
        before = self._source().text
        if _digest(before) != preview.before:
            raise EditError(
                Text(
                    f"{self._file} has changed meanwhile; nothing is written, look at the difference anew",
                    f"{self._file} 已被他人修改；未写入任何内容，请重新查看差异",
                )
            )
        stamp = to_datetime(self._clock.now_ns()).strftime("%Y%m%dT%H%M%SZ")
        kept = self._backups / f"{stamp}-{_digest(before)[:8]}-{STATION_FILE}"
        try:
            self._backups.mkdir(parents=True, exist_ok=True)
            write_whole(kept, before)
            write_whole(self._file, preview.text)
        except OSError as error:
            where, mend = error.filename or self._file, mend_of(error)
            raise EditError(
                Text(
                    f"{where} cannot be written ({error.strerror}); nothing is changed, {mend.en}",
                    f"无法写入 {where}（{error.strerror}）；内容未改变，{mend.zh}",
                )
            ) from error
        return kept

    def _contents(self) -> Contents:
        data = self._source().data
        devices = tuple(form for form in data.get("devices") or () if isinstance(form, dict))
        elements = tuple(str(node.get("id", "")) for node in data.get("topology") or () if isinstance(node, dict))
        return Contents(devices, elements, tuple(self._templates()), names())

    def _templates(self) -> list[TemplateName]:
        found: dict[str, TemplateName] = {}
        for name, file in self._template_files().items():
            data = YamlSource(file).data
            if isinstance(data, dict):
                words = (str(data.get(key, "")) for key in ("vendor", "model", "kind", "source"))
                found[name] = TemplateName(name, *words)
        return list(found.values())

    def _template_files(self) -> dict[str, Path]:
        """Name -> file; the station's own hide those of the same name that come with Gridroom."""
        files: dict[str, Path] = {}
        directory = self._station.directory.resolve()
        for root in (directory / "templates", directory.parent / "templates", TEMPLATES):
            for file in sorted(root.rglob("*.yaml")) if root.is_dir() else ():
                files.setdefault(file.relative_to(root).with_suffix("").as_posix(), file)
        return files

    def _template_points(self, template: str) -> list[dict[str, Any]]:
        file = self._template_files().get(template)
        if file is None:
            raise EditError(Text(f"there is no template '{template}'; choose another", f"没有模板“{template}”，请另选"))
        data = YamlSource(file).data
        points = data.get("points") if isinstance(data, dict) else None
        return [point for point in points or () if isinstance(point, dict) and isinstance(point.get("id"), str)]


def _called(changes: Sequence[Change]) -> str:
    """Id of the device that is changed, as it is called afterwards."""
    first = next(iter(changes), None)
    if first is None:
        return ""
    return str(first.form.get("id") or "") if first.form is not None and not first.point else first.device


def _changed(source: YamlSource, change: Change) -> str:
    """The text with the change made. Raises LookupError where it has no place, EditError where it cannot be."""
    if not change.device:
        if change.form is None:
            raise EditError(Text("name the device that is to be removed", "请指明要删除的设备"))
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
        name = f"{change.device}.{change.point}"
        raise EditError(
            Text(
                f"point {name} comes from the template, and cannot be removed here",
                f"测点 {name} 来自模板，不能在此删除",
            )
        )
    return remove(source, (*at, "points", place))


def _position(source: YamlSource, device: str) -> int:
    for i, form in enumerate(source.data.get("devices") or []):
        if form.get("id") == device:
            return i
    en = f"{source.file} has no device '{device}'; it may have been removed meanwhile"
    raise EditError(Text(en, f"{source.file} 中没有设备“{device}”，可能已被删除"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
