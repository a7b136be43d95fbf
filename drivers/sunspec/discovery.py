"""What a SunSpec device has, as a device of the station file. The templates `sunspec/*` are the vocabulary.

A point that a template has gets its id, name, kind, role, unit and sign from there; any other gets those that its
definition gives. Points that the device does not implement are left out.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

import numpy as np

from app.model.clock import Clock
from app.model.config import BlocksForm, ControlForm, DeviceKind, PointForm, PointKind, RatingsForm
from app.model.errors import TransportError
from app.model.loading import TEMPLATES
from app.model.station import Device, Point
from app.model.text import Text, joined
from app.model.yaml_source import YamlSource
from drivers.contract import Proposal
from drivers.modbus.address import Type
from drivers.modbus.line import Endpoint
from drivers.sunspec.chain import Chain
from drivers.sunspec.link import SunSpecLink
from drivers.sunspec.models import Field, models

VOCABULARY: Final = ("inverter", "der", "storage", "battery", "meter", "weather")
MOST_REPETITIONS: Final = 64
_COMMANDED: Final = ("active_power_setpoint", "power_limit_setpoint")
_NO_POINTS: Final = ("ID", "L")
_STORAGE: Final = frozenset({124, 713, 801, 802, 803, 804, 805})
_KINDS: Final[tuple[tuple[DeviceKind, frozenset[int]], ...]] = (
    (DeviceKind.PV_INVERTER, frozenset({101, 102, 103, 111, 112, 113, 701})),
    (DeviceKind.BMS, _STORAGE),
    (DeviceKind.METER, frozenset(range(201, 215))),
    (DeviceKind.WEATHER, frozenset(range(302, 309))),
)
_UNITS: Final[dict[str, tuple[str, float]]] = {
    "W": ("kW", 1e-3), "VA": ("kVA", 1e-3), "var": ("kvar", 1e-3), "Wh": ("kWh", 1e-3), "wh": ("kWh", 1e-3),
    "varh": ("kvarh", 1e-3), "v": ("V", 1), "a": ("A", 1), "hz": ("Hz", 1), "c": ("degC", 1), "secs": ("s", 1),
    "pct": ("%", 1), "w/m2": ("W/m2", 1), "ah": ("Ah", 1), "degrees": ("deg", 1), "deg": ("deg", 1), "mm": ("mm", 1),
    "mps": ("m/s", 1), "m/s": ("m/s", 1), "hpa": ("hPa", 1), "ohms": ("ohm", 1), "meters": ("m", 1),
}  # fmt: skip
"""SunSpec's unit, as written or in small letters -> ours and the scale."""


@dataclass(frozen=True, slots=True)
class _Place:
    """One point of one model in one device."""

    model: int
    field: Field
    instance: int
    group: int
    """0 where the point does not repeat."""

    @property
    def address(self) -> dict[str, Any]:
        found: dict[str, Any] = {"model": self.model, "point": self.field.name}
        if self.instance > 1:
            found["instance"] = self.instance
        if self.group:
            found["group"] = self.group
        return found


async def look_around(endpoint: Endpoint, connection: Mapping[str, Any], clock: Clock, seconds: float) -> Proposal:
    """Connect, walk the chain, read every point once. Raises TransportError or ProtocolError."""
    device = _device({key: value for key, value in connection.items() if key != "driver"})
    link = SunSpecLink(endpoint, [device], clock, read_only=True)
    try:
        async with asyncio.timeout(seconds):
            await link.connect()
            chain = await link.chain(device.id)
            return await _propose(link, device, chain, connection)
    except TimeoutError:
        text = Text(
            f"{endpoint.name} was not read within {seconds:g} s; give it longer",
            f"{endpoint.name} 在 {seconds:g} s 内未读完；请延长时间",
        )
        raise TransportError(text) from None
    finally:
        await link.close()


async def _propose(link: SunSpecLink, device: Device, chain: Chain, connection: Mapping[str, Any]) -> Proposal:
    places = list(_places(chain))
    forms = [PointForm.model_validate(_generic(place)) for place in places]
    whole = _with_points(device, forms)
    numbers = [i for i, form in enumerate(forms) if form.kind is not PointKind.TEXT]
    updates = await link.read(link.plan(whole, [Point(i, forms[i].id, device.id, forms[i]) for i in numbers]))
    implemented = {i for i, good in zip(numbers, np.isfinite(updates.value).tolist(), strict=True) if good}
    texts = await link.texts_of(whole)
    implemented |= {i for i, form in enumerate(forms) if texts.get(form.id)}
    points = list(_unique(places[i] for i in sorted(implemented)))
    kind = _kind(chain)
    if kind is DeviceKind.PCS:  # it is told its power; a limit beside it, that nobody switches on, would say nothing
        points = [{k: v for k, v in one.items() if v != "power_limit_setpoint"} for one in points]
    maker = " ".join(texts[id_] for id_ in ("m1_mn", "m1_md") if texts.get(id_))
    found = " ".join(str(each.model) for each in chain.found)
    why = Text(
        f"SunSpec at register {chain.base}: {maker or 'a device'}, models {found}",
        f"寄存器 {chain.base} 处的 SunSpec：{maker or '一台设备'}，模型 {found}",
    )
    proposal = {
        "id": _id(texts.get("m1_md", "")) or "sunspec",
        "name": maker or "SunSpec",
        "kind": kind.value,
        "connection": dict(connection),
        "points": points,
        **_control(points),
    }
    return Proposal(proposal, joined([why, chain.trouble]) if chain.trouble else why)


def _places(chain: Chain) -> Iterator[_Place]:
    seen: dict[int, int] = {}
    for found in chain.found:
        seen[found.model] = seen.get(found.model, 0) + 1
        model = models().get(found.model)
        if model is None:
            continue
        groups = range(1, min(found.repetitions, MOST_REPETITIONS) + 1)
        for group, fields in [(0, model.fields), *((group, model.repeated) for group in groups)]:
            for field in fields.values():
                if field.kind != "sunssf" and (group or field.name not in _NO_POINTS):
                    yield _Place(found.model, field, seen[found.model], group)


# ------------------------------------------------------------------------------------------------------- what it is


def _kind(chain: Chain) -> DeviceKind:
    present = {found.model for found in chain.found}
    kind = next((kind for kind, of in _KINDS if present & of), DeviceKind.OTHER)
    return DeviceKind.PCS if kind is DeviceKind.PV_INVERTER and present & _STORAGE else kind


def _unique(places: Iterator[_Place]) -> Iterator[dict[str, Any]]:
    """The points of the file: ids and roles once, those of the first model that has them."""
    ids: set[str] = set()
    roles: set[str] = set()
    for place in places:
        for point in _known(place) or [_generic(place)]:
            if point["id"] in ids:
                again = "".join(f"_{n}" for n in (place.instance, place.group) if n > 1)
                point["id"] = f"{point['id']}_m{place.model}{again}"
            if point.get("role") in roles:
                del point["role"]
            ids.add(point["id"])
            roles |= {point["role"]} if "role" in point else set()
            yield point


def _known(place: _Place) -> list[dict[str, Any]]:
    """What the templates say of this point; several where several orders go to it."""
    found = []
    for point in _vocabulary().get((place.model, place.field.name), ()):
        group = point["address"].get("group", 0)
        if group > 1 or bool(group) != bool(place.group):
            continue
        more = {key: point["address"][key] for key in ("opposite", "of") if key in point["address"]}
        own = {**point, "address": {**place.address, **more}}
        if place.group > 1:
            own["id"] = _numbered(own["id"], place.group, "_")
            own["name"] = {key: _numbered(text, place.group, " ") for key, text in own["name"].items()}
        found.append(own)
    return found


def _numbered(text: str, number: int, between: str) -> str:
    """`mppt1_u_v` as `mppt2_u_v`; what has no 1 gets the number behind it."""
    return text.replace("1", str(number), 1) if "1" in text else f"{text}{between}{number}"


def _control(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How it is commanded, as the template says whose setpoint it has; what it cannot be told is left out, and without
    a time-out it has no expiry."""
    there = {(point["id"], point.get("role"), point["address"]["model"]) for point in points}
    for name in ("der", "storage", "inverter"):
        template = YamlSource(TEMPLATES / "sunspec" / f"{name}.yaml").data
        own = {one["id"]: (one["id"], one.get("role"), one["address"]["model"]) for one in template["points"]}
        if not any(key in there for key in own.values() if key[1] in _COMMANDED):
            continue
        control = template["control"]
        enable = [one for one in control["enable"] if own[one["point"]] in there]
        whole = len(enable) == len(control["enable"])
        return {"control": {**({"expiry": control["expiry"]} if whole else {}), "enable": enable}}
    return {}


@cache
def _vocabulary() -> Mapping[tuple[int, str], list[dict[str, Any]]]:
    """(model, point) -> the points of the first template that has it."""
    found: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for name in reversed(VOCABULARY):
        own: dict[tuple[int, str], list[dict[str, Any]]] = {}
        for point in YamlSource(TEMPLATES / "sunspec" / f"{name}.yaml").data["points"]:
            numbers = point["address"]["model"]
            for number in numbers if isinstance(numbers, list) else [numbers]:
                own.setdefault((number, point["address"]["point"]), []).append(point)
        found |= own
    return found


def _generic(place: _Place) -> dict[str, Any]:
    """A point by its definition alone."""
    field = place.field
    unit, scale = _unit(field)
    again = "".join(f"_{n}" for n in (place.instance if place.instance > 1 else 0, place.group) if n)
    point: dict[str, Any] = {
        "id": f"m{place.model}_{_id(field.name)}{again}",
        "name": field.label + (f" {place.group}" if place.group else ""),
        "kind": _point_kind(field, unit).value,
        "address": place.address,
        "scan": "1h" if field.type is Type.STRING else "5s",
    }
    if unit and not field.symbols:
        point["unit"] = unit
        point |= {"scale": scale} if scale != 1 else {}
    if field.symbols and not field.bits:
        point["states"] = {value: text.lower().replace("_", " ") for value, text in field.symbols.items()}
    return point


def _point_kind(field: Field, unit: str) -> PointKind:
    if field.type is Type.STRING:
        return PointKind.TEXT
    if field.writable:
        return PointKind.SETPOINT
    if field.symbols or field.bits:
        return PointKind.STATUS
    return PointKind.COUNTER if unit in ("kWh", "kvarh") else PointKind.MEASUREMENT


def _unit(field: Field) -> tuple[str, float]:
    if field.units.startswith("%") and "/" not in field.units:
        return "%", 1.0
    return _UNITS.get(field.units) or _UNITS.get(field.units.lower()) or ("", 1.0)


def _id(name: str) -> str:
    """`WMaxLimPct_SF` as `w_max_lim_pct_sf`; empty where no letter begins it."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_") if re.match("[A-Za-z]", name) else ""


def _device(connection: Mapping[str, Any]) -> Device:
    return Device(
        "found", Text.of("found"), DeviceKind.OTHER, None, None, connection, RatingsForm(), ControlForm(), BlocksForm(),
        (), (),
    )  # fmt: skip


def _with_points(device: Device, forms: list[PointForm]) -> Device:
    texts = tuple(Point(-1, f.id, device.id, f) for f in forms if f.kind is PointKind.TEXT)
    return replace(device, texts=texts)
