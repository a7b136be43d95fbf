"""From `northbound.yaml` and its point tables to centres; tells all faults with file and line."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from app.model.config import PointKind
from app.model.errors import Fault
from app.model.explaining import explain
from app.model.named_files import NORTHBOUND_FILE
from app.model.secrets import is_reference
from app.model.station import Station
from app.model.text import Text
from app.model.yaml_source import YamlSource
from app.northbound.centre import Centre, OfferedCommand, OfferedValue, TlsFiles
from app.northbound.form import CentreForm, NorthboundForm, OfferedCommandForm, OfferedPointForm, TlsForm
from app.northbound.table import read_table
from drivers.iec104.typeids import COMMANDS_BY_TYPE, MONITORED_BY_TYPE, NUMBERS

_COMMANDABLE: Final = (PointKind.COMMAND, PointKind.SETPOINT)
_LONGEST_T: Final = 255

M = TypeVar("M", bound=BaseModel)
Steps = tuple[Hashable, ...]


def load_northbound(station: Station) -> tuple[tuple[Centre, ...], list[Fault], str]:
    """Everything that the station offers, what is wrong with it, and the hash of the station with these files.

    Nothing is offered where there is no such file.
    """
    file = station.directory / NORTHBOUND_FILE
    if not file.exists():
        return (), [], station.config_hash
    loading = _Loading(station, YamlSource(file))
    return loading.run(), loading.faults, loading.digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Where:
    """Where one point or command stands: in the YAML file, or in a table."""

    file: Path
    line: int


class _Loading:
    def __init__(self, station: Station, source: YamlSource) -> None:
        self.faults: list[Fault] = list(source.faults)
        self._station = station
        self._source = source
        self.digest = hashlib.sha256(station.config_hash.encode() + source.text.encode())

    def run(self) -> tuple[Centre, ...]:
        source = self._source
        if self.faults:
            return ()
        if not isinstance(source.data, dict):
            self._fault(
                (),
                Text("this is not a mapping of keys", "此处不是键值映射"),
                Text("begin with 'version: 1'", "请以“version: 1”开头"),
            )
            return ()
        try:
            form = NorthboundForm.model_validate(source.data)
        except ValidationError as error:
            for what, mend, at in explain(error, NorthboundForm):
                self._fault(at, what, mend)
            return ()
        ids: dict[str, int] = {}
        ports: dict[int, str] = {}
        for i, centre in enumerate(form.iec104):
            here: Steps = ("iec104", i)
            if centre.id in ids:
                what = Text(
                    f"centre '{centre.id}' exists already in line {source.line(('iec104', ids[centre.id], 'id'))}",
                    f"调度中心“{centre.id}”已在第 {source.line(('iec104', ids[centre.id], 'id'))} 行定义",
                )
                self._fault((*here, "id"), what, Text("give it an id of its own", "请另取一个 id"))
            ids.setdefault(centre.id, i)
            if centre.listen.port and centre.listen.port in ports:
                what = Text(
                    f"{centre.id}: {ports[centre.listen.port]} listens at port {centre.listen.port} already",
                    f"{centre.id}：{ports[centre.listen.port]} 已在端口 {centre.listen.port} 监听",
                )
                self._fault(
                    (*here, "listen", "port"),
                    what,
                    Text("give each centre a port of its own", "请为每个调度中心分配端口"),
                )
            ports.setdefault(centre.listen.port, centre.id)
        return tuple(self._centre(centre, ("iec104", i)) for i, centre in enumerate(form.iec104))

    def _centre(self, form: CentreForm, here: Steps) -> Centre:
        for key in ("t1", "t2", "t3"):
            seconds = getattr(form, key)
            if seconds != round(seconds) or not 1 <= seconds <= _LONGEST_T:
                self._fault(
                    (*here, key),
                    Text(
                        f"{form.id}: {key} is not whole seconds from 1s to 255s",
                        f"{form.id}：{key} 应为 1s 至 255s 的整秒数",
                    ),
                    Text("correct it", "请改正"),
                )
        values: list[OfferedValue] = []
        commands: list[OfferedCommand] = []
        taken: dict[int, _Where] = {}
        for one, where in self._objects(form, here):
            who = f"{form.id}, {one.ioa}"
            if one.ioa in taken:
                first = taken[one.ioa]
                there = f"{first.file.name}:{first.line}"
                taken_by = Text(f"this address is taken already in {there}", f"该地址已在 {there} 使用")
                self._fault_at(
                    where,
                    taken_by.at(Text.of(who)),
                    Text("give each object an address of its own", "请为每个对象分配地址"),
                )
            taken.setdefault(one.ioa, where)
            index = self._index(one.point, who, where)
            if isinstance(one, OfferedCommandForm):
                self._commandable(index, who, where)
                commands.append(self._command(one, index))
            elif index is not None:
                values.append(self._value(one, index))
        if not taken and not self.faults:
            self._fault(
                here,
                Text(f"{form.id}: nothing is offered", f"{form.id}：没有提供任何测点"),
                Text("add 'points:' or 'table:'", "请添加“points:”或“table:”"),
            )
        return Centre(
            form.id, form.name or Text.of(form.id), form.listen.host, form.listen.port, form.ca, form.allow,
            self._tls(form.tls, here) if form.tls else None, form.connections == "redundant",
            {key: getattr(form, key) for key in ("k", "w", "t1", "t2", "t3")}, form.clock == "station",
            form.clock_sync == "confirm", form.orders == "accept",
            form.time_tags == "all", form.cyclic, form.lost_after, tuple(values),
            tuple(commands),
        )  # fmt: skip

    def _objects(self, form: CentreForm, here: Steps) -> list[tuple[OfferedPointForm | OfferedCommandForm, _Where]]:
        """Points and commands of the file and of its table."""
        found: list[tuple[OfferedPointForm | OfferedCommandForm, _Where]] = []
        parts: tuple[tuple[str, tuple[OfferedPointForm | OfferedCommandForm, ...]], ...] = (
            ("points", form.points),
            ("commands", form.commands),
        )
        for key, forms in parts:
            for i, one in enumerate(forms):
                found.append((one, _Where(self._source.file, self._source.line((*here, key, i)))))
        if form.table is None:
            return found
        file = self._station.directory / form.table
        lines, faults = read_table(file)
        self.digest.update(repr(lines).encode())
        self.faults += faults
        for line in lines:
            where = _Where(file, line.number)
            judged: OfferedPointForm | OfferedCommandForm | None = (
                self._judge(line.keys, OfferedCommandForm, where)
                if line.is_command
                else self._judge(line.keys, OfferedPointForm, where)
            )
            if judged is not None:
                found.append((judged, where))
        return found

    def _judge(self, keys: dict[str, Any], model: type[M], where: _Where) -> M | None:
        try:
            return model.model_validate(keys)
        except ValidationError as error:
            for what, mend, _ in explain(error, model):
                self._fault_at(where, what, mend)
            return None

    def _index(self, name: str | None, who: str, where: _Where) -> int | None:
        if name is None:
            return None
        index = self._station.by_name.get(name)
        if index is None:
            near = get_close_matches(name, self._station.by_name, 1)
            mend = (
                Text(f"did you mean '{near[0]}'?", f"是否应为“{near[0]}”？")
                if near
                else Text("write DEVICE.POINT of the station file", "请写电站文件中的 设备.测点")
            )
            self._fault_at(where, Text(f"{who}: unknown point '{name}'", f"{who}：未知测点“{name}”"), mend)
        return index

    def _commandable(self, index: int | None, who: str, where: _Where) -> None:
        if index is not None and self._station.points[index].kind not in _COMMANDABLE:
            point = self._station.points[index]
            what = Text(
                f"{who}: {point.name} is a {point.kind}, which nobody can command",
                f"{who}：{point.name} 的类别为 {point.kind}，不能下发命令",
            )
            self._fault_at(where, what, Text("name a command or a setpoint", "请指定遥控或遥调测点"))

    def _value(self, form: OfferedPointForm, index: int) -> OfferedValue:
        deadband = self._station.points[index].form.deadband if form.deadband is None else form.deadband
        plain = MONITORED_BY_TYPE[NUMBERS[form.type]].plain
        return OfferedValue(index, form.ioa, plain, form.scale, form.offset, deadband, form.groups)

    def _command(self, form: OfferedCommandForm, index: int | None) -> OfferedCommand:
        name = form.name
        if name is None:
            name = Text.of(form.point or "") if index is None else self._words(index)
        type_ = COMMANDS_BY_TYPE[NUMBERS[form.type]].type
        return OfferedCommand(form.ioa, type_, index, name, form.scale, form.offset, form.select)

    def _words(self, index: int) -> Text:
        point = self._station.points[index]
        device = self._station.by_id[point.device].name
        return Text(f"{device.en} {point.label.en}", f"{device.zh} {point.label.zh}")

    def _tls(self, form: TlsForm, here: Steps) -> TlsFiles:
        paths: dict[str, Path] = {}
        for key in ("certificate", "key", "ca"):
            given = getattr(form, key)
            if given is None:
                continue
            paths[key] = (self._station.directory / given).resolve()
            if not paths[key].is_file():
                self._fault(
                    (*here, "tls", key),
                    Text(f"tls {key} '{given}' is no file", f"tls {key} “{given}”不是文件"),
                    Text("give the path of a PEM file", "请给出 PEM 文件的路径"),
                )
        if form.password is not None and not is_reference(form.password):
            self._fault(
                (*here, "tls", "password"),
                Text("a password stands in the file", "文件中写有明文口令"),
                Text("write 'password: secret:NAME'", "请写“password: secret:名称”"),
            )
        return TlsFiles(paths["certificate"], paths["key"], form.password, paths.get("ca"))

    def _fault(self, path: Steps, what: Text, mend: Text) -> None:
        self.faults.append(Fault(self._source.file, self._source.line(path), what, mend))

    def _fault_at(self, where: _Where, what: Text, mend: Text) -> None:
        self.faults.append(Fault(where.file, where.line, what, mend))
