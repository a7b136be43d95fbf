"""Every point of the SunSpec templates, served by pymodbus' own server with the models that they name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from app.model.clock import ManualClock
from app.model.loading import TEMPLATES, load_station
from drivers.sunspec import tcp
from drivers.sunspec.address import Address, field_of
from drivers.sunspec.link import SunSpecLink
from drivers.sunspec.models import Field, models
from tests.support.sunspec_device import chain, model, serve

NAMES = sorted(file.stem for file in (TEMPLATES / "sunspec").glob("*.yaml"))
EXPONENT = -2


def served_value(field: Field, seed: int) -> float | str:
    """What stands in the registers: another number for each point, before the scale factor."""
    if field.kind == "string":
        return f"T{seed}"
    if field.kind == "sunssf":
        return EXPONENT
    return float(seed) if field.kind.startswith("float") else seed


@pytest.mark.asyncio
@pytest.mark.parametrize("name", NAMES)
async def test_every_point_of_the_template_is_read_back(name: str, tmp_path: Path) -> None:
    device = {
        "id": "d",
        "name": "D",
        "kind": "other",
        "template": f"sunspec/{name}",
        "connection": {"host": "127.0.0.1"},
    }
    head = {"id": "s", "name": "S", "timezone": "UTC", "location": {"latitude": 0, "longitude": 0}}
    content = {"version": 1, "station": head, "devices": [device]}
    (tmp_path / "station.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    its = load_station(tmp_path).station.devices[0]
    assert its.driver == "sunspec-tcp"
    addresses = [Address.of(point.form.address or {}) for point in (*its.points, *its.texts) if point.form.address]
    addresses += [address.whole for address in addresses if address.whole is not None]
    numbers = sorted({address.models[0] for address in addresses})
    put: dict[tuple[int, str, int], float | str] = {}
    parts = []
    for number in numbers:
        known = models()[number]
        values = {f.name: served_value(f, 100 + f.at) for f in known.fields.values() if f.name not in ("ID", "L")}
        groups = [{f.name: served_value(f, 1000 * g + f.at) for f in known.repeated.values()} for g in range(1, 5)]
        put |= {(number, key, 0): value for key, value in values.items()}
        put |= {(number, key, g): value for g, group in enumerate(groups, 1) for key, value in group.items()}
        part = model(number, groups if known.repeated else (), **{k.replace(".", "__"): v for k, v in values.items()})
        parts.append(part)
    async with serve(chain(*parts)) as served:
        (tmp_path / "overlay.yaml").write_text(
            f"devices: {{d: {{connection: {{port: {served.port}}}}}}}", encoding="utf-8"
        )
        its = load_station(tmp_path, tmp_path / "overlay.yaml").station.devices[0]
        link = tcp().open([its], ManualClock(), read_only=True)
        assert isinstance(link, SunSpecLink)
        try:
            await link.connect()
            polled = [point for point in its.points if point.polled]
            updates = await link.read(link.plan(its, polled))
            texts = await link.read_texts(its)
        finally:
            await link.close()
    expected = {}
    for point in (*polled, *its.texts):
        address = Address.of(point.form.address or {})
        field = field_of(address.models[0], address.point)
        assert field is not None
        raw = put[address.models[0], address.point, address.group]
        exponent = EXPONENT if isinstance(field.scale_factor, str) else field.scale_factor or 0
        if isinstance(raw, str):
            assert texts[point.id] == raw
        else:
            whole = address.whole
            share = 1.0 if whole is None else float(put[whole.models[0], whole.point, 0]) * 10.0**EXPONENT / 100.0
            expected[point.id] = raw * 10.0**exponent * share * point.form.scale + point.form.offset
    assert {point.id: value for point, value in zip(polled, updates.value.tolist(), strict=True)} == pytest.approx(
        expected
    )
    assert link.remarks(its) == {}
