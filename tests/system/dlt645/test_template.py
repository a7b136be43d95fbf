"""The template of three-phase meters: every point of it is read back from a meter that holds what the annex says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from dlt645.common.transform import float_to_bcd

from app.model import quality as q
from app.model.loading import load_station
from app.model.station import Device
from tests.support.meters import Meters
from tests.system.dlt645.conftest import A, Open, Serve

BLOCKS = {
    0x0201FF00: ("XXX.X", 3), 0x0202FF00: ("XXX.XXX", 3), 0x0203FF00: ("XX.XXXX", 4), 0x0204FF00: ("XX.XXXX", 4),
    0x0206FF00: ("X.XXX", 4), 0x0001FF00: ("XXXXXX.XX", 5), 0x0002FF00: ("XXXXXX.XX", 5), 0x05060101: ("XXXXXX.XX", 5),
    0x05060201: ("XXXXXX.XX", 5), 0x02050000: ("XX.XXXX", 1), 0x02800002: ("XX.XX", 1), 0x00030000: ("XXXXXX.XX", 1),
    0x00040000: ("XXXXXX.XX", 1), 0x02800004: ("XX.XXXX", 1), 0x01010000: ("XX.XXXX", 1), 0x01020000: ("XX.XXXX", 1),
}  # fmt: skip
"""DI -> the format of its values, and how many a meter with four tariffs holds."""


def value_of(di: int, field: int) -> float:
    """Another one for every place, and small enough for every format."""
    return ((di >> 16) % 7 + field * 0.125 + 0.25) / (10 if di >> 16 == 0x0206 else 1)


def fill(meters: Meters) -> None:
    held = meters.items[A]
    for di, (form, count) in BLOCKS.items():
        values = (round(value_of(di, field), 3 if form == "X.XXX" else 1) for field in range(count))
        held[di] = b"".join(bytes(float_to_bcd(value, form, "little")) for value in values)
        if di >> 24 == 0x01:
            held[di] += bytes.fromhex("4513010524")
    held[0x04000402] = bytes.fromhex("785634120000")


def templated(folder: Path, connection: dict[str, object]) -> Device:
    device = {
        "id": "m", "name": "M", "kind": "meter", "template": "dlt645/three_phase",
        "connection": {**connection, "address": A, "timeout": "200ms"},
    }  # fmt: skip
    head = {"id": "s", "name": "S", "timezone": "UTC", "location": {"latitude": 0, "longitude": 0}}
    text = yaml.safe_dump({"version": 1, "station": head, "devices": [device]})
    (folder / "station.yaml").write_text(text, encoding="utf-8")
    return load_station(folder).station.devices[0]


@pytest.mark.asyncio
async def test_every_point_is_read_back(tmp_path: Path, serve: Serve, open_link: Open) -> None:
    field = await serve("tcp")
    fill(field.meters)
    device = templated(tmp_path, field.connection)
    assert device.driver == "dlt645"
    link = open_link(device)
    points = [point for point in device.points if point.polled]
    updates = await link.read(link.plan(device, points))
    assert updates.quality.tolist() == [q.GOOD] * len(points)
    for point, value in zip(points, updates.value.tolist(), strict=True):
        address = point.form.address or {}
        di, place = int(str(address["di"]), 16), address.get("field", 0)
        assert value == round(value_of(di, place), 3 if point.unit == "1" else 1), point.name
    assert len(field.meters.requests) == len({str((point.form.address or {})["di"]) for point in points})
    assert await link.read_texts(device) == {"meter_no": "000012345678"}


@pytest.mark.asyncio
async def test_a_meter_without_blocks_gives_the_same(tmp_path: Path, serve: Serve, open_link: Open) -> None:
    field = await serve("tcp")
    fill(field.meters)
    device = templated(tmp_path, field.connection)
    link = open_link(device)
    points = [point for point in device.points if point.polled]
    plan = link.plan(device, points)
    with_blocks = (await link.read(plan)).value.tolist()
    held = field.meters.items[A]
    for di in [di for di in held if di >> 8 & 0xFF == 0xFF]:
        form, count = BLOCKS[di]
        size, data, first = form.count("X") // 2, held.pop(di), 1 if form in ("XXX.X", "XXX.XXX") else 0
        for place in range(count):
            held[(di & 0xFFFF00FF) | (first + place) << 8] = data[place * size : (place + 1) * size]
    assert (await link.read(plan)).value.tolist() == with_blocks
    assert link.remarks(device) == {}
