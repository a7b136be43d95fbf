"""From `strategies.yaml` to strategies that may run; tells all faults with file and line."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import ValidationError

from app.control.fleet import Fleet
from app.control.gates import transformers_kva
from app.control.heartbeat import point_of
from app.control.registry import Kind, kinds
from app.control.strategies.contract import Strategy
from app.control.templates import Template, find_template
from app.model.config import PointKind
from app.model.control import ORDERS, Quantity, Rank, Running, StrategiesForm, StrategyForm
from app.model.errors import Fault, Wrong
from app.model.explaining import explain
from app.model.named_files import STRATEGIES_FILE, tables_in
from app.model.station import Station
from app.model.text import Text
from app.model.yaml_source import YamlSource

_SITE_LIMITS: Final = {"import_limit": "import_kw", "export_limit": "export_kw"}
Steps = tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """A strategy with the devices that it may use."""

    id: str
    name: Text
    strategy: Strategy[Any, Any]
    running: Running
    rank: Rank
    meter: str | None
    devices: tuple[str, ...]
    given: dict[str, Any]
    """Its parameters as they are written."""
    template: str = ""
    """`NAME@VERSION`, where it is of one."""
    common: Mapping[str, Any] = field(default_factory=dict)
    """The parameters of its template."""

    @property
    def params(self) -> dict[str, Any]:
        """As they hold: its template's, and over those its own."""
        return {**self.common, **self.given}


def load_strategies(
    station: Station, text: str | None = None, orders: Collection[str] | None = None
) -> tuple[tuple[Bound, ...], list[Fault], str]:
    """The strategies, what is wrong with them, and the hash of the station with this file.

    None where there is no such file. `text` in its place; `orders` what dispatch centres may order (None: anything).
    """
    file = station.directory / STRATEGIES_FILE
    if text is None and not file.exists():
        return (), [], station.config_hash
    loading = _Loading(station, YamlSource(file, text) if text is not None else YamlSource(file), orders)
    bound = tuple(loading.run())
    # What the same parameters do may change with Gridroom: that is another configuration.
    versions = "".join(f"\n{one.id} {one.strategy.kind} {one.strategy.version}" for one in bound)
    loading.digest.update(versions.encode())
    return bound, loading.faults, loading.digest.hexdigest()


def site_faults(station: Station) -> list[tuple[str, Text]]:
    """Limits of the station that allow more than its transformers bear: key, what is wrong."""
    bears, limits = transformers_kva(station), station.limits
    found = []
    for key in ("import_kw", "export_kw"):
        limit = getattr(limits, key)
        if bears and limit is not None and limit > bears:
            found.append((key, Text(f"limits.{key}: {limit:g} kW is more than the transformers bear, {bears:g} kVA",
                                    f"limits.{key}：{limit:g} kW 超出变压器容量 {bears:g} kVA")))  # fmt: skip
    return found


def device_faults(station: Station) -> list[tuple[str, Text, Text]]:
    """What `control` of devices names and is not there: device, what is wrong, the mend."""
    found: list[tuple[str, Text, Text]] = []
    for device in station.devices:
        control = device.control
        battery = station.by_id.get(device.bms or "", device)
        for role in dict.fromkeys([*(one.by for one in control.derate), *(one.by for one in control.trips)]):
            if (battery.role(role) or device.role(role)) is None:
                what = Text(f"control: neither {device.id} nor its bms has a point with the role {role}",
                            f"control：{device.id} 及其 bms 均无角色为 {role} 的测点")  # fmt: skip
                found.append((device.id, what, Text("give a point this role", "请为测点指定该角色")))
        for one in control.enable:
            point = next((point for point in device.points if point.id == one.point), None)
            if point is None or point.kind not in (PointKind.SETPOINT, PointKind.COMMAND):
                what = Text(f"control: enable names '{one.point}', which {device.id} cannot be told",
                            f"control：enable 中的“{one.point}”不是 {device.id} 的可写测点")  # fmt: skip
                found.append((device.id, what, Text("name a setpoint or a command of the device",
                                                    "请写该设备的设定点或命令")))  # fmt: skip
        if control.heartbeat is not None and point_of(device) is None:
            what = Text(f"control: {device.id} has no setpoint with the role heartbeat",
                        f"control：{device.id} 没有角色为 heartbeat 的设定点")  # fmt: skip
            found.append((device.id, what, Text("give a setpoint this role, or leave 'heartbeat' out",
                                                "请为设定点指定该角色，或删除 heartbeat")))  # fmt: skip
        for name in control.interlocks:
            whole = device.beside(name)
            if whole not in station.by_name:
                near = get_close_matches(whole, station.by_name, 1)
                mend = (Text(f"did you mean '{near[0]}'?", f"是否应为“{near[0]}”？") if near
                        else Text("write DEVICE.POINT", "请写 设备.测点"))  # fmt: skip
                what = Text(f"control: unknown interlock point '{name}'", f"control：未知闭锁测点“{name}”")
                found.append((device.id, what, mend))
    return found


def unsafe_alone(station: Station, strategies: Sequence[Bound]) -> list[str]:
    """Devices that strategies set, without timer or heartbeat: nothing makes them safe when the engine is gone."""
    used = {id_ for one in strategies for id_ in one.devices}
    return [
        device.id for device in station.devices
        if device.id in used and device.control.expiry is None and device.control.heartbeat is None
    ]  # fmt: skip


class _Loading:
    def __init__(self, station: Station, source: YamlSource, orders: Collection[str] | None) -> None:
        self.faults: list[Fault] = list(source.faults)
        self._orders = orders
        self.digest = hashlib.sha256(station.config_hash.encode() + source.text.encode())
        for name in tables_in(source.data, station.directory):  # another plan is another configuration
            with suppress(OSError):
                self.digest.update((station.directory / name).read_bytes())
        self._station, self._source = station, source
        self._fleet = Fleet(station)

    def run(self) -> Iterator[Bound]:
        if self.faults:
            return
        if not isinstance(self._source.data, dict):
            self._fault((), Text("this is not a mapping of keys", "此处不是键值映射"),
                        Text("begin with 'strategies:'", "请以“strategies:”开头"))  # fmt: skip
            return
        try:
            form = StrategiesForm.model_validate(self._source.data)
        except ValidationError as error:
            for what, mend, at in explain(error, StrategiesForm):
                self._fault(at, what, mend)
            return
        seen: dict[str, int] = {}
        for i, raw in enumerate(form.strategies):
            here: Steps = ("strategies", i)
            try:
                one = StrategyForm.model_validate(raw)
            except ValidationError as error:
                for what, mend, at in explain(error, StrategyForm):
                    self._fault((*here, *at), what, mend)
                continue
            if one.id in seen:
                line = self._source.line(("strategies", seen[one.id], "id"))
                self._fault((*here, "id"), Text(f"strategy '{one.id}' exists already in line {line}",
                                                f"策略“{one.id}”已在第 {line} 行定义"),
                            Text("give it an id of its own", "请另取一个 id"))  # fmt: skip
            seen.setdefault(one.id, i)
            if (bound := self._bound(one, here)) is not None:
                yield bound

    def _bound(self, form: StrategyForm, here: Steps) -> Bound | None:
        template = self._template(form, here)
        name = form.kind if form.template is None else None
        name = template.form.kind if template is not None else name
        if name is None:
            return None
        kind = kinds().get(name)
        if kind is None:
            near = get_close_matches(name, kinds(), 1)
            every = sorted(kinds())
            mend = Text(f"write one of: {', '.join(every)}", f"可写：{'、'.join(every)}")
            if near:
                mend = Text(f"did you mean '{near[0]}'?", f"是否应为“{near[0]}”？")
            key = "kind" if template is None else "template"
            self._fault((*here, key), Text(f"unknown kind '{name}'", f"未知类别“{name}”"), mend)
            return None
        before = len(self.faults)
        self._judge_devices(form, here)
        meter = self._meter(form, here)
        common = dict(template.form.params) if template is not None else {}
        strategy = self._strategy(kind, {**common, **form.params}, form, here)
        if strategy is None or len(self.faults) > before:
            return None
        self._judge_transformer(strategy, form, here)
        for id_ in strategy.switches():
            self._judge_switched(id_, form, here)
        for name in strategy.points():
            self._judge_point(name, form, here)
        rank, called = form.priority or kind.rank, form.name or kind.name
        if template is not None:
            rank, called = form.priority or template.form.priority or kind.rank, form.name or template.form.name
        id_ = template.id if template is not None else ""
        return Bound(form.id, called, strategy, form.mode, rank, meter, form.devices, form.params, id_, common)

    def _template(self, form: StrategyForm, here: Steps) -> Template | None:
        """What it is made of; a fault where that is not there, or where it says its kind as well, or neither."""
        if (form.kind is None) == (form.template is None):
            self._fault((*here, "kind") if form.kind else here,
                        Text(f"{form.id}: it has a kind and a template, or neither",
                             f"{form.id}：kind 与 template 须写且只写其一"),
                        Text("write 'kind', or 'template: NAME@VERSION'",
                             "请写 kind，或 template: 名称@版本"))  # fmt: skip
            return None
        if form.template is None:
            return None
        try:
            found = find_template(form.template, (self._station.directory,))
        except Wrong as error:
            self._fault((*here, "template"), error.what.at(Text.of(form.id)), error.mend)
            return None
        self.digest.update(found.text.encode())
        return found

    def _strategy(
        self, kind: Kind, given: dict[str, Any], form: StrategyForm, here: Steps
    ) -> Strategy[Any, Any] | None:
        if kind.kind in _SITE_LIMITS and given.get("limit_kw") is None:
            given["limit_kw"] = getattr(self._station.limits, _SITE_LIMITS[kind.kind])
            if given["limit_kw"] is None:
                key = _SITE_LIMITS[kind.kind]
                self._fault((*here, "params"), Text(f"{form.id}: neither it nor the station has a limit",
                                                    f"{form.id}：策略与站点均未给出限值"),
                            Text(f"write 'limit_kw', or '{key}' in the station's limits",
                                 f"请写 limit_kw，或在站点 limits 中写 {key}"))  # fmt: skip
                return None
        context = {"folders": (self._station.directory,), "station": self._station}
        try:
            strategy = kind(kind.form.model_validate(given, context=context))
            self.digest.update(getattr(getattr(strategy.params, "tariff", None), "text", "").encode())
            return strategy
        except ValidationError as error:
            for what, mend, at in explain(error, kind.form):
                self._fault((*here, "params", *at), what.at(Text.of(form.id)), mend)
            return None

    def _meter(self, form: StrategyForm, here: Steps) -> str | None:
        meter = form.meter or self._station.grid_meter
        if meter is None:
            return None
        device = self._station.by_id.get(meter)
        if device is None or device.role("active_power") is None:
            self._fault((*here, "meter"), Text(f"{form.id}: '{meter}' is no device with the role active_power",
                                               f"{form.id}：“{meter}”不是带 active_power 角色的设备"),
                        Text("name a meter", "请指定电表"))  # fmt: skip
        return meter

    def _judge_devices(self, form: StrategyForm, here: Steps) -> None:
        channels = self._fleet.by_device
        for i, id_ in enumerate(form.devices):
            at: Steps = (*here, "devices", i)
            if id_ not in self._station.by_id:
                near = get_close_matches(id_, self._station.by_id, 1)
                mend = (Text(f"did you mean '{near[0]}'?", f"是否应为“{near[0]}”？") if near
                        else Text("name a device of the station", "请指定本站设备"))  # fmt: skip
                self._fault(at, Text(f"{form.id}: unknown device '{id_}'", f"{form.id}：未知设备“{id_}”"), mend)
            elif id_ not in channels:
                self._fault(at, Text(f"{form.id}: {id_} cannot be commanded", f"{form.id}：{id_} 不可控"),
                            Text("it needs a setpoint with a role, such as active_power_setpoint",
                                 "需有带角色的设定点，例如 active_power_setpoint"))  # fmt: skip
            else:
                self._judge_channels(id_, form, at)

    def _judge_channels(self, id_: str, form: StrategyForm, at: Steps) -> None:
        """What storage or an inverter must have before it may be commanded."""
        fleet = self._fleet
        for i in fleet.by_device[id_]:
            one = fleet.channels[i]
            missing: list[str] = []
            if fleet.feedback[i] < 0 and one.quantity is not Quantity.REACTIVE:
                missing.append("a point with the role active_power")
            if one.quantity is Quantity.ACTIVE and fleet.soc[i] < 0:
                missing.append("a point with the role soc, its own or that of its bms")
            if one.quantity is not Quantity.REACTIVE and not (np.isfinite(fleet.low[i]) and np.isfinite(fleet.high[i])):
                missing.append("'ratings: {power_kw: ...}', or a range of its setpoint")
            if missing:
                self._fault(at, Text(f"{form.id}: {id_} may not be commanded without {' and '.join(missing)}",
                                     f"{form.id}：{id_} 缺少控制所需内容：{'、'.join(missing)}"),
                            Text("add it in station.yaml", "请在 station.yaml 中补充"))  # fmt: skip

    def _judge_switched(self, id_: str, form: StrategyForm, here: Steps) -> None:
        """What is started and stopped must be there, have both commands, and tell whether it runs."""
        device = self._station.by_id.get(id_)
        missing = (
            [] if device is None else [role for role in ("start", "stop", "active_power") if not device.role(role)]
        )
        if device is not None and not device.ratings.power_kw:
            self._fault((*here, "params"), Text(f"{form.id}: {id_} has no rating, so that nobody knows whether it runs",
                                                f"{form.id}：{id_} 没有额定功率，无法判断其是否运行"),
                        Text("write 'ratings: {power_kw: ...}'", "请写 ratings: {power_kw: ...}"))  # fmt: skip
        if device is None:
            self._fault((*here, "params"), Text(f"{form.id}: unknown device '{id_}'", f"{form.id}：未知设备“{id_}”"),
                        Text("name a device of the station", "请指定本站设备"))  # fmt: skip
        elif missing:
            self._fault((*here, "params"), Text(f"{form.id}: {id_} has no point with the role {', '.join(missing)}",
                                                f"{form.id}：{id_} 缺少角色 {', '.join(missing)} 的测点"),
                        Text("give points these roles", "请为测点指定这些角色"))  # fmt: skip

    def _judge_transformer(self, strategy: Strategy[Any, Any], form: StrategyForm, here: Steps) -> None:
        """A limit that allows more than the transformers bear is none."""
        bears, limit = transformers_kva(self._station), getattr(strategy.params, "limit_kw", None)
        if bears and isinstance(limit, float | int) and limit > bears:
            self._fault((*here, "params", "limit_kw"),
                        Text(f"{form.id}: {limit:g} kW is more than the transformers bear, {bears:g} kVA",
                             f"{form.id}：{limit:g} kW 超出变压器容量 {bears:g} kVA"),
                        Text("lower it, or correct their 'ratings: {apparent_kva: ...}'",
                             "请降低，或改正变压器的 ratings: {apparent_kva: ...}"))  # fmt: skip

    def _judge_point(self, name: str, form: StrategyForm, here: Steps) -> None:
        if name.startswith(ORDERS):
            if self._orders is not None and name not in self._orders:
                known = ", ".join(sorted(self._orders))
                self._fault((*here, "params"), Text(f"{form.id}: no dispatch centre orders '{name}'",
                                                    f"{form.id}：没有调度主站下达“{name}”"),
                            Text(f"write one of: {known}" if known else "offer a command without a point to it",
                                 f"可写：{known}" if known else "请为主站提供一个不对应测点的命令"))  # fmt: skip
        elif name not in self._station.by_name:
            near = get_close_matches(name, self._station.by_name, 1)
            mend = (Text(f"did you mean '{near[0]}'?", f"是否应为“{near[0]}”？") if near
                    else Text("write DEVICE.POINT", "请写 设备.测点"))  # fmt: skip
            self._fault(
                (*here, "params"), Text(f"{form.id}: unknown point '{name}'", f"{form.id}：未知测点“{name}”"), mend
            )

    def _fault(self, path: Steps, what: Text, mend: Text) -> None:
        self.faults.append(Fault(Path(self._source.file), self._source.line(path), what, mend))
