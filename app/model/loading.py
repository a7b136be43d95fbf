"""From files to a `Station`: reads, merges templates, judges everything, and tells all faults at once."""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from app.model.config import (
    BlocksForm,
    ControlForm,
    DeviceForm,
    NodeForm,
    PointForm,
    StationForm,
    TemplateForm,
)
from app.model.connections import OF_ANY_DRIVER, SECRET_KEYS, with_tls_files
from app.model.errors import ConfigFaults, Fault
from app.model.explaining import explain
from app.model.named_files import STATION_FILE
from app.model.own_points import own_points, points_of_control
from app.model.station import Device, Point, Station
from app.model.text import Text
from app.model.wiring import element_faults, parent_faults
from app.model.yaml_source import YamlSource

M = TypeVar("M", bound=BaseModel)
Path_ = tuple[Hashable, ...]
TEMPLATES: Final = Path(__file__).resolve().parents[2] / "station_configs" / "templates"
"""The templates that come with Gridroom; a station's own `templates/` and its neighbours' come first."""
DEFAULT_BLOCKS: Final = BlocksForm()
_NO_FORM: Final = StationForm.model_validate(
    {"version": 1, "station": {"id": "s", "name": "s", "timezone": "UTC", "location": {"latitude": 0, "longitude": 0}}}
)
"""In place of a head that is faulty, while what stands below it is judged."""
_LONGEST_NAME: Final = 100
_ID: Final = re.compile(r"[a-z][a-z0-9_]*")
_TEMPLATE_NAME: Final = re.compile(r"\w[\w.+-]*(/\w[\w.+-]*)*")
_OWN_ID: Final = Text("give it an id of its own", "请另取一个 id")
_VENDOR_MODEL: Final = Text("write VENDOR/MODEL", "请写 厂商/型号")


@dataclass(slots=True)
class _Template:
    source: YamlSource
    form: TemplateForm | None
    raw_points: dict[str, tuple[int, dict[str, Any]]]
    """Point id -> position in the file, and what stands there."""


@dataclass(slots=True)
class _Doubt:
    """The devices of which not every point could be read."""

    devices: set[str] = field(default_factory=set)
    all: bool = False
    """A device has no id that could be read: its points may have any name."""

    def covers(self, name: str) -> bool:
        """Whether a point of this full name, or a pattern of them, may be theirs."""
        return self.all or any(fnmatch.fnmatchcase(device, name.partition(".")[0]) for device in self.devices)


@dataclass(frozen=True)
class Loaded:
    """A station and where each of its words stands, for faults that only a driver or an expression can find."""

    station: Station
    _source: YamlSource = field(repr=False)
    _lines: Mapping[tuple[str, str], tuple[YamlSource, Path_]] = field(repr=False)
    _connections: Mapping[tuple[str, str], tuple[YamlSource, Path_]] = field(repr=False, default_factory=dict)
    """(device, key of its connection) -> where that key stands: in the overlay, the station or the template."""
    _doubt: _Doubt = field(repr=False, default_factory=_Doubt)

    def fault(self, device: str, point: str, key: str, what: Text, mend: Text) -> Fault:
        """A fault at a key of a device's connection (`point` empty), or at `value` or a key of the address of a point.

        `point` is its id or its full name.
        """
        id_ = point.removeprefix(f"{device}.")
        where = _place(device, id_)
        if id_:
            source, path = self._lines.get((device, id_)) or self._lines[(device, "")]
            path = (*path, "value") if key == "value" else (*path, "address", key)
        else:
            here, device_path = self._lines[(device, "")]
            source, path = self._connections.get((device, key)) or (here, (*device_path, "connection", key))
        return Fault(source.file, source.line(path), what.at(where), mend, path)

    def may_have(self, name: str) -> bool:
        """Whether a point that is not there may be one of those whose own words are faulty: no second fault then."""
        return self._doubt.covers(name)

    def station_fault(self, path: Path_, what: Text, mend: Text) -> Fault:
        """A fault at a key of `station.yaml` itself."""
        return Fault(self._source.file, self._source.line(path), what, mend, path)


def load_station(directory: Path, overlay: Path | None = None, text: str | None = None) -> Loaded:
    """Load `station.yaml` of a directory with its templates; an overlay maps connections elsewhere.

    `text` is judged in place of what stands in `station.yaml`, before it is written there.

    Raises ConfigFaults with everything that is wrong; what only a driver can judge is not among it.
    """
    loaded, faults = survey_station(directory, overlay, text)
    if loaded is None or faults:
        raise ConfigFaults(faults)
    return loaded


def survey_station(
    directory: Path, overlay: Path | None = None, text: str | None = None
) -> tuple[Loaded | None, list[Fault]]:
    """As `load_station`, with the faults beside what is sound, so that drivers and expressions can judge that as well.

    Not to be run where there are faults. None where there is nothing to judge.
    """
    return _Loading(directory, overlay, text).run()


class _Loading:
    def __init__(self, directory: Path, overlay: Path | None, text: str | None) -> None:
        self.directory = directory
        self.faults: list[Fault] = []
        self.templates: dict[str, _Template | None] = {}
        self.lines: dict[tuple[str, str], tuple[YamlSource, Path_]] = {}
        self.connections: dict[tuple[str, str], tuple[YamlSource, Path_]] = {}
        self.source = YamlSource(directory / STATION_FILE, text)
        self.overlay = YamlSource(overlay) if overlay is not None else None
        self.digest = hashlib.sha256()
        self.points: list[Point] = []
        self.doubt = _Doubt()
        self.known: set[str] = set()
        """Ids of all devices of the file, faulty ones too, so that a reference to one of them is no second fault."""

    def run(self) -> tuple[Loaded | None, list[Fault]]:
        if not self.directory.is_dir():
            mend = Text("give the folder that holds station.yaml", "请给出含有 station.yaml 的文件夹")
            return None, [Fault(self.directory, 1, Text("no such station directory", "没有该电站目录"), mend)]
        form = self._judge(self.source, StationForm, without="devices")
        if not isinstance(self.source.data, dict):
            self._overlay()
            return None, self.faults
        overlaid = self._overlay()
        forms = self._device_forms()
        devices = [self._device(i, device, overlaid.get(device.id, {})) for i, device in forms.items()]
        self._unique(Text("device", "设备"), {i: device.id for i, device in forms.items()}, ("devices",))
        nodes = dict(enumerate(form.topology)) if form is not None else self._sound_nodes()
        self._unique(Text("topology element", "拓扑元件"), {i: node.id for i, node in nodes.items()}, ("topology",))
        self._references(nodes)
        for device_id in overlaid.keys() - self.known:
            self._fault(
                self.overlay or self.source,
                ("devices", device_id),
                Text(f"unknown device '{device_id}'", f"未知设备“{device_id}”"),
                Text("the overlay maps devices of the station only", "映射文件只能映射本电站的设备"),
            )
        form = form or _NO_FORM
        head = form.station
        devices = [replace(device, timezone=head.timezone) for device in devices]
        station = Station(
            head.id, head.name, head.timezone, head.location, head.limits, head.grid_meter, head.read_only,
            form.history, form.topology, tuple(devices), tuple(self.points), self.directory, self.digest.hexdigest(),
            access=form.access, records=form.records, audit=form.audit,
        )  # fmt: skip
        return Loaded(station, self.source, self.lines, self.connections, self.doubt), self.faults

    def _sound_nodes(self) -> dict[int, NodeForm]:
        """Position -> element of the diagram, for those that are sound by themselves; their faults are told already."""
        found = {}
        for i, node in enumerate(self._listed("topology")):
            with suppress(ValidationError):
                found[i] = NodeForm.model_validate(node)
        return found

    def _listed(self, key: str) -> list[Any]:
        given = self.source.data.get(key) if isinstance(self.source.data, dict) else None
        return given if isinstance(given, list) else []

    def _fault(self, source: YamlSource, path: Sequence[Hashable], what: Text, mend: Text) -> None:
        self.faults.append(Fault(source.file, source.line(path), what, mend, tuple(path)))

    def _judge(self, source: YamlSource, model: type[M], without: str = "") -> M | None:
        """A whole file against its form, one key left for later. None when it is faulty; the faults are noted."""
        self.faults += source.faults
        if source.faults:
            return None
        self.digest.update(source.text.encode())
        if not isinstance(source.data, dict):
            self._fault(
                source,
                (),
                Text("this is not a mapping of keys", "此处不是键值映射"),
                Text("begin with 'version: 1'", "请以“version: 1”开头"),
            )
            return None
        data = {key: value for key, value in source.data.items() if key != without}
        return self._judge_part(source, (), data, model)

    def _device_forms(self) -> dict[int, DeviceForm]:
        """Position in the file -> device, for those that are sound by themselves."""
        given = self.source.data.get("devices") if isinstance(self.source.data, dict) else None
        if given is not None and not isinstance(given, list):
            self._fault(
                self.source,
                ("devices",),
                Text("devices is not a list", "devices 不是列表"),
                Text("write '- id: ...' for each device", "每台设备请写“- id: ...”"),
            )
        judged: dict[int, DeviceForm] = {}
        for i, device in enumerate(self._listed("devices")):
            id_ = device.get("id", i) if isinstance(device, dict) else i
            form = self._judge_part(self.source, ("devices", i), device, DeviceForm, _place(id_))
            if form is None and isinstance(device, dict):
                form = _sound_part(device)
            if form is not None:
                judged[i] = form
            else:
                self._doubt_device(id_)
                if isinstance(device, dict) and "template" not in device:
                    self._judge_points_of_a_faulty_device(i, device)
            self.known.add(str(id_))
        return judged

    def _doubt_device(self, id_: object) -> None:
        if isinstance(id_, str) and _ID.fullmatch(id_):
            self.doubt.devices.add(id_)
        else:
            self.doubt.all = True

    def _judge_part(
        self, source: YamlSource, path: Path_, data: Any, model: type[M], where: Text | None = None
    ) -> M | None:
        try:
            return model.model_validate(data)
        except ValidationError as error:
            for what, mend, at in explain(error, model):
                self._fault(source, (*path, *at), what.at(where) if where else what, mend)
            return None

    def _judge_points_of_a_faulty_device(self, position: int, device: dict[str, Any]) -> None:
        points = device.get("points")
        for j, point in enumerate(points if isinstance(points, list) else ()):
            if isinstance(point, dict) and "id" in point:
                self._point(str(device.get("id", position)), point, ("devices", position, "points", j), None, None)

    def _overlay(self) -> dict[str, dict[str, Any]]:
        """Device id -> connection keys that the overlay replaces."""
        if self.overlay is None:
            return {}
        self.faults += self.overlay.faults
        if self.overlay.faults:
            return {}
        data = self.overlay.data
        devices = data.get("devices") if isinstance(data, dict) else None
        if not isinstance(devices, dict) or not all(
            isinstance(d, dict) and isinstance(d.get("connection"), dict) for d in devices.values()
        ):
            self._fault(
                self.overlay,
                (),
                Text("this is not an overlay", "这不是映射文件"),
                Text(
                    "write 'devices: {ID: {connection: {host: ..., port: ...}}}'",
                    "请写“devices: {ID: {connection: {host: ..., port: ...}}}”",
                ),
            )
            return {}
        extra: list[Path_] = [(key,) for key in data if key != "devices"]
        extra += [("devices", id_, key) for id_, device in devices.items() for key in device if key != "connection"]
        for path in extra:
            what = Text(f"an overlay cannot change '{path[-1]}'", f"映射文件不能更改“{path[-1]}”")
            mend = "write it into the station's file; an overlay maps connections only"
            self._fault(self.overlay, path, what, Text(mend, "请写入电站文件；映射文件只能映射连接"))
        return {str(id_): device["connection"] for id_, device in devices.items()}

    def _unique(self, what: Text, ids: Mapping[int, str], path: Path_) -> None:
        seen: dict[str, int] = {}
        for i, id_ in ids.items():
            if id_ in seen:
                first = self.source.line((*path, seen[id_]))
                self._fault(
                    self.source,
                    (*path, i, "id"),
                    Text(f"{what.en} '{id_}' exists already in line {first}", f"{what.zh}“{id_}”已在第 {first} 行定义"),
                    _OWN_ID,
                )
            seen.setdefault(id_, i)

    def _device(self, position: int, form: DeviceForm, overlay: Mapping[str, Any]) -> Device:
        here: Path_ = ("devices", position)
        self.lines[(form.id, "")] = (self.source, here)
        template = self._template(form.template, here) if form.template else None
        known = template.form if template else None
        connection = {**(known.connection if known else {}), **(form.connection or {})}
        if overlay.get("driver", connection.get("driver")) != connection.get("driver"):
            # Reached by another protocol: of the old connection only what is said of any is kept.
            connection = {key: value for key, value in connection.items() if key in OF_ANY_DRIVER}
        connection |= overlay
        connection = {key: value for key, value in connection.items() if key not in overlay or value is not None}
        for source, path, keys in (
            (template.source if template else self.source, ("connection",), known.connection if known else {}),
            (self.source, (*here, "connection"), form.connection or {}),
            (self.overlay or self.source, ("devices", form.id, "connection"), overlay),
        ):
            self.connections |= {(form.id, key): (source, (*path, key)) for key in keys}
        self._secrets(form.id, connection)
        connection = with_tls_files(connection, self.directory)
        driver = connection.pop("driver", None)
        unread = (form.template and known is None) or (self.overlay is not None and self.overlay.faults)
        if unread:
            driver = None  # some of its connection could not be read: no driver can judge the rest
        elif form.connection is not None and not isinstance(driver, str):
            driver = None
            what = Text(f"device {form.id}: no driver", f"设备 {form.id}：没有驱动")
            mend = Text("add 'driver: modbus-tcp' or another", "请添加“driver: modbus-tcp”或其他驱动")
            self._fault(self.source, (*here, "connection"), what, mend)
        control = self._control(form, template, here)
        points = self._points(form, template, here)
        needs_field = any(point.form.address is not None for point in points)
        if needs_field and form.connection is None:
            self._fault(
                self.source,
                here,
                Text(
                    f"device {form.id} has points with addresses but no connection",
                    f"设备 {form.id} 的测点有地址，但设备没有连接",
                ),
                Text("add 'connection: {driver: ..., ...}'", "请添加“connection: {driver: ..., ...}”"),
            )
        if form.connection is not None:
            owned = [*own_points(), *points_of_control({point.form.role for point in points})]
            points += [Point(0, f"{form.id}.{own.id}", form.id, own) for own in owned]
        table = [point for point in points if point.index >= 0]
        table = [Point(len(self.points) + i, p.name, p.device, p.form) for i, p in enumerate(table)]
        self.points += table
        return Device(
            form.id, form.name, form.kind, form.parent, driver if form.connection is not None else None, connection,
            form.ratings, control, form.blocks or (known.blocks if known else DEFAULT_BLOCKS), tuple(table),
            tuple(point for point in points if point.index < 0), form.bms, form.template,
            known.vendor if known else "", known.model if known else "",
        )  # fmt: skip

    def _control(self, form: DeviceForm, template: _Template | None, here: Path_) -> ControlForm:
        base = template.form.control if template and template.form else None
        if form.control is None:
            return base or ControlForm()
        below = base.model_fields_set if base else set()
        given = {key: getattr(base, key) for key in below if key not in form.control}
        judged = self._judge_part(self.source, (*here, "control"), form.control, ControlForm, _place(form.id))
        return judged.model_copy(update=given) if judged else ControlForm()

    def _secrets(self, device: str, connection: Mapping[str, Any]) -> None:
        for key, value in connection.items():
            if key in SECRET_KEYS and not str(value).startswith(("secret:", "env:")):
                self._fault(
                    *self.connections[(device, key)],
                    Text(f"{key} stands in the file", f"文件中写有 {key} 的明文"),
                    Text(
                        f"write '{key}: secret:NAME' or '{key}: env:NAME'",
                        f"请写“{key}: secret:名称”或“{key}: env:名称”",
                    ),
                )

    def _points(self, form: DeviceForm, template: _Template | None, here: Path_) -> list[Point]:
        """The template's points and the device's own, merged by id, in that order. Index -1 marks a text."""
        forms: dict[str, PointForm] = {}
        if template and template.form:
            for i, point in enumerate(template.form.points):
                forms[point.id] = point
                self.lines[(form.id, point.id)] = (template.source, ("points", i))
        templated = template is not None and template.form is not None
        if form.template and not templated:
            self._doubt_device(form.id)
        seen: dict[str, int] = {}
        for i, given in enumerate(form.points):
            path: Path_ = (*here, "points", i)
            id_ = given.get("id")
            if not isinstance(id_, str):
                self._doubt_device(form.id)
                self._fault(
                    self.source,
                    path,
                    Text(f"device {form.id}: a point without id", f"设备 {form.id}：有测点没有 id"),
                    Text("add 'id: ...'", "请添加“id: ...”"),
                )
                continue
            if id_ in seen:
                first = self.source.line((*here, "points", seen[id_]))
                self._fault(
                    self.source,
                    (*path, "id"),
                    Text(
                        f"point '{form.id}.{id_}' exists already in line {first}",
                        f"测点“{form.id}.{id_}”已在第 {first} 行定义",
                    ),
                    _OWN_ID,
                )
            seen.setdefault(id_, i)
            if form.template and not templated and not {"name", "kind"} <= given.keys():
                continue  # it relies on the template, which cannot be read
            below = template.raw_points.get(id_) if template else None
            judged = self._point(form.id, given, path, template, below)
            if judged is not None:
                forms[id_] = judged
            else:
                self._doubt_device(form.id)
            if below is None or "address" in given or "value" in given:
                self.lines[(form.id, id_)] = (self.source, path)
        return [Point(-1 if f.kind == "text" else 0, f"{form.id}.{f.id}", form.id, f) for f in forms.values()]

    def _point(
        self,
        device: str,
        given: dict[str, Any],
        path: Path_,
        template: _Template | None,
        below: tuple[int, dict[str, Any]] | None,
    ) -> PointForm | None:
        """One point of a device; what it does not say itself comes from the template's point of the same id."""
        merged = {**below[1], **given} if below else dict(given)
        for key, other in (("value", "address"), ("address", "value")):
            if key in given and other not in given:
                merged.pop(other, None)
        try:
            return PointForm.model_validate(merged)
        except ValidationError as error:
            name = f"{device}.{given['id']}"
            for what, mend, at in explain(error, PointForm):
                ours = not at or at[0] in given or below is None or template is None
                source, start = (
                    (self.source, path)
                    if ours or template is None or below is None
                    else (template.source, ("points", below[0]))
                )
                self._fault(source, (*start, *at), what.at(Text(f"point {name}", f"测点 {name}")), mend)
            return None

    def _template(self, name: str, here: Path_) -> _Template | None:
        if name not in self.templates:
            self.templates[name] = self._load_template(name, here)
        return self.templates[name]

    def _load_template(self, name: str, here: Path_) -> _Template | None:
        directory = self.directory.resolve()
        roots = [directory / "templates", directory.parent / "templates", TEMPLATES]
        if ".." in Path(name).parts or Path(name).is_absolute():
            self._fault(
                self.source,
                (*here, "template"),
                Text(f"template '{name}' leaves its folder", f"模板“{name}”超出其文件夹"),
                _VENDOR_MODEL,
            )
            return None
        if len(name) > _LONGEST_NAME or not _TEMPLATE_NAME.fullmatch(name):
            what = Text(
                f"'{name[:_LONGEST_NAME]}' is not the name of a template", f"“{name[:_LONGEST_NAME]}”不是模板名称"
            )
            self._fault(self.source, (*here, "template"), what, _VENDOR_MODEL)
            return None
        file = next((root / f"{name}.yaml" for root in roots if (root / f"{name}.yaml").is_file()), None)
        if file is None:
            known = sorted(
                {
                    str(p.relative_to(r).with_suffix("").as_posix())
                    for r in roots
                    if r.is_dir()
                    for p in r.rglob("*.yaml")
                }
            )
            near = get_close_matches(name, known, 3, 0.4)
            mend = Text(f"known: {', '.join(known) or 'none'}", f"已有模板：{'、'.join(known) or '无'}")
            if near:
                mend = Text(f"did you mean {' or '.join(near)}?", f"是否应为 {' 或 '.join(near)}？")
            what = Text(f"template '{name}' does not exist", f"模板“{name}”不存在")
            self._fault(self.source, (*here, "template"), what, mend)
            return None
        source = YamlSource(file)
        form = self._judge(source, TemplateForm)
        raw: dict[str, tuple[int, dict[str, Any]]] = {}
        for i, point in enumerate(source.data.get("points", []) if form else []):
            if point["id"] in raw:
                self._fault(
                    source,
                    ("points", i, "id"),
                    Text(f"point '{point['id']}' exists twice", f"测点“{point['id']}”出现两次"),
                    _OWN_ID,
                )
            raw[point["id"]] = (i, point)
        return _Template(source, form, raw)

    def _references(self, nodes: Mapping[int, NodeForm]) -> None:
        """Everything that names something else must name something that is there, in faulty devices as well."""
        elements = self._listed("topology")
        places = {str(node.get("id")) for node in elements if isinstance(node, dict)} | self.known
        names = {point.name for point in self.points}
        head = self.source.data.get("station")
        grid_meter = head.get("grid_meter") if isinstance(head, dict) else None
        self._must_exist(
            grid_meter, self.known, ("station", "grid_meter"), Text("station: unknown device", "station：未知设备")
        )
        listed = self._listed("devices")
        for i, device in enumerate(listed):
            if isinstance(device, dict):
                who = Text("unknown", "未知").at(_place(device.get("id", i)))
                self._must_exist(
                    device.get("parent"), places, ("devices", i, "parent"), Text(f"{who.en} parent", f"{who.zh}上级")
                )
                self._must_exist(
                    device.get("bms"), self.known, ("devices", i, "bms"), Text(f"{who.en} bms", f"{who.zh}电池管理系统")
                )
        for i, node in nodes.items():
            who = Text(f"element {node.id}: unknown", f"元件 {node.id}：未知")
            element = Text(f"{who.en} element", f"{who.zh}元件")
            self._must_exist(node.from_, places, ("topology", i, "from"), element)
            self._must_exist(node.to, places, ("topology", i, "to"), element)
            device = Text(f"{who.en} device", f"{who.zh}设备")
            self._must_exist(node.device, self.known, ("topology", i, "device"), device)
            if node.state is not None and not self.doubt.covers(node.state):
                self._must_exist(node.state, names, ("topology", i, "state"), Text(f"{who.en} point", f"{who.zh}测点"))
        parents = [
            (str(d.get("id", i)), d.get("parent")) if isinstance(d, dict) else ("", None) for i, d in enumerate(listed)
        ]
        wired = element_faults(list(nodes.values()), self.known) if len(nodes) == len(elements) else ()
        for path, what, mend in (*wired, *parent_faults(parents)):
            self._fault(self.source, path, what, mend)
        self._substitutes(names)

    def _substitutes(self, names: AbstractSet[str]) -> None:
        """A point that stands in for another is there, and is another."""
        for point in self.points:
            for i, step in enumerate(point.form.clean):
                if step.substitute is None or step.substitute.point is None:
                    continue
                source, path = self.lines.get((point.device, point.id)) or self.lines[(point.device, "")]
                path, name = (*path, "clean", i, "substitute", "point"), point.beside(step.substitute.point)
                if not self.doubt.covers(name):
                    self._must_exist(
                        name,
                        names,
                        path,
                        Text(f"point {point.name}: unknown point", f"测点 {point.name}：未知测点"),
                        source,
                    )
                if name == point.name:
                    what = Text(f"point {point.name} stands in for itself", f"测点 {point.name} 以自身替代自身")
                    self._fault(
                        source,
                        path,
                        what,
                        Text("name another point, or write 'last: 1min'", "请指定另一测点，或写“last: 1min”"),
                    )

    def _must_exist(
        self, id_: object, known: AbstractSet[str], path: Path_, what: Text, source: YamlSource | None = None
    ) -> None:
        if isinstance(id_, str) and id_ not in known:
            near = get_close_matches(id_, sorted(known), 1)
            mend = (
                Text(f"did you mean '{near[0]}'?", f"是否应为“{near[0]}”？")
                if near
                else Text("correct the id, or add it", "请改正该 id，或添加该项")
            )
            self._fault(source or self.source, path, Text(f"{what.en} '{id_}'", f"{what.zh}“{id_}”"), mend)


def _place(device: object, point: object = "") -> Text:
    """Which device, and which point of it."""
    if point:
        return Text(f"device {device}, point {point}", f"设备 {device}，测点 {point}")
    return Text(f"device {device}", f"设备 {device}")


def _sound_part(device: dict[str, Any]) -> DeviceForm | None:
    """A faulty device without its faulty keys, so that its connection and points can be judged as well.

    None where the faulty keys are those.
    """
    try:
        return DeviceForm.model_validate(device)
    except ValidationError as error:
        faulty = {str(one["loc"][0]) for one in error.errors() if one["loc"]}
    if faulty & {"id", "template", "connection", "points"}:
        return None
    sound = {key: value for key, value in device.items() if str(key) not in faulty}
    try:
        return DeviceForm.model_validate({"name": device["id"], "kind": "other", **sound})
    except ValidationError:
        return None
