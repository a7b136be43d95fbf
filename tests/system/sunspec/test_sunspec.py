"""The SunSpec driver against pymodbus' own server with chains of models: real sockets, a peer that is not ours."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import yaml
from pymodbus import FramerType

from app.model import quality as q
from app.model.clock import ManualClock
from app.model.errors import ProtocolError, ReadOnlyError, TransportError
from app.model.loading import load_station
from app.model.station import Device
from app.model.updates import Updates
from drivers.contract import Discovering, Pollable, Writable
from drivers.sunspec import rtu_tcp, tcp
from drivers.sunspec.link import SunSpecLink
from tests.support.devices import device, point
from tests.support.sunspec_device import INVERTER_103, Served, chain, model, serve

COMMON = model(1, Mn="Acme", Md="Sun 15k", Vr="1.2.3", SN="A-0042")
IDLE = [64001, 3, 1, 2, 3]
"""A model that nobody knows."""


def w(id_: str = "w", model: Any = 103, name: str = "W", **form: Any) -> dict[str, Any]:
    keys = {key: form.pop(key) for key in ("group", "instance", "bit", "of", "opposite") if key in form}
    return point(id_, {"model": model, "point": name, **keys}, **form)


@asynccontextmanager
async def linked(
    served: Served, *points: dict[str, Any], read_only: bool = False, **connection: Any
) -> AsyncIterator[tuple[SunSpecLink, Device]]:
    its = device("d", {"host": "127.0.0.1", "port": served.port, "timeout": "2s", **connection}, points)
    assert tcp().check(its) == []
    link = tcp().open([its], ManualClock(), read_only=read_only)
    assert isinstance(link, SunSpecLink)
    try:
        await link.connect()
        yield link, its
    finally:
        await link.close()


async def values(link: SunSpecLink, its: Device) -> dict[str, float]:
    updates = await link.read(link.plan(its, its.points))
    for value, quality in zip(updates.value.tolist(), updates.quality.tolist(), strict=True):
        assert math.isnan(value) == bool(quality & q.IV)
    return {point.id: value for point, value in zip(its.points, updates.value.tolist(), strict=True)}


# --- reading ------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_an_inverter_written_out_by_hand_is_read_as_its_definition_says() -> None:
    points = [
        w("a", name="A"), w("u_ab", name="PPVphAB"), w("u", name="PhVphC"), w("p", scale=0.001), w("f", name="Hz"),
        w("q", name="VAr"), w("pf", name="PF", scale=0.01), w("wh", name="WH"), w("udc", name="DCV"),
        w("pdc", name="DCW"), w("cab", name="TmpCab"), w("snk", name="TmpSnk"), w("st", name="St"),
        w("evt", name="Evt1"), w("over", name="Evt1", bit=1), w("ground", name="Evt1", bit=0),
        w("none_i", name="DCA"), w("none_t", name="TmpOt"), w("none_e", name="StVnd"), w("none_b", name="Evt2", bit=3),
    ]  # fmt: skip
    async with serve(chain(COMMON, INVERTER_103)) as served, linked(served, *points) as (link, its):
        seen = await values(link, its)
        assert {id_: value for id_, value in seen.items() if not id_.startswith("none")} == {
            "a": 41.2, "u_ab": 400.0, "u": 230.3, "p": 15.234, "f": 50.01, "q": -1000.0, "pf": 0.995, "wh": 1234567.0,
            "udc": 730.5, "pdc": 15800.0, "cab": -10.0, "snk": 35.0, "st": 4.0, "evt": 2.0, "over": 1.0, "ground": 0.0,
        }  # fmt: skip
        assert all(math.isnan(value) for id_, value in seen.items() if id_.startswith("none"))
        remarks = link.remarks(its)
        assert set(remarks) == {f"d.{id_}" for id_ in seen if id_.startswith("none")}
        assert "does not implement" in remarks["d.none_i"].en


@pytest.mark.asyncio
@pytest.mark.parametrize("base", [40000, 50000, 0])
async def test_the_map_is_found_at_each_usual_base(base: int) -> None:
    async with serve(chain(COMMON, IDLE, INVERTER_103), base=base) as served, linked(served, w()) as (link, its):
        assert (await values(link, its))["w"] == 15234.0
        assert (await link.chain("d")).base == base


@pytest.mark.asyncio
async def test_an_unusual_base_is_given() -> None:
    async with serve(chain(INVERTER_103), base=30) as served:
        async with linked(served, w(), base=30) as (link, its):
            assert (await values(link, its))["w"] == 15234.0
        async with linked(served, w()) as (link, its):
            with pytest.raises(ProtocolError, match=r"40000, 50000, 0 holds 'SunS'.*`base`"):
                await values(link, its)


@pytest.mark.asyncio
async def test_several_units_behind_one_gateway_have_a_chain_each() -> None:
    """RTU frames within TCP; one unit has no map, which is its own trouble alone."""
    units = (chain(INVERTER_103), chain(COMMON, model(113, W=-5.0)), [0] * 9)
    async with serve(*units, framer=FramerType.RTU) as served:
        connection = {"host": "127.0.0.1", "port": served.port, "timeout": "2s"}
        devices = [device(f"d{u}", {**connection, "unit": u}, [w(model=[103, 113])], first_index=u) for u in (1, 2, 3)]
        link = rtu_tcp().open(devices, ManualClock(), read_only=True)
        assert isinstance(link, SunSpecLink)
        try:
            await link.connect()
            reads = (link.read(link.plan(each, each.points)) for each in devices)
            first, second, third = await asyncio.gather(*reads, return_exceptions=True)
        finally:
            await link.close()
        assert isinstance(first, Updates) and isinstance(second, Updates)
        assert (first.point.tolist(), first.value.tolist()) == ([1], [15234.0])
        assert (second.point.tolist(), second.value.tolist()) == ([2], [-5.0])
        assert isinstance(third, ProtocolError) and third.device == "d3"


@pytest.mark.asyncio
async def test_repetitions_and_several_models_of_one_number() -> None:
    mppt = model(160, [{"DCW": 100}, {"DCW": 200}, {"DCW": 0xFFFF}], DCW_SF=1, N=3)
    strings = [model(804, SoC=soc, SoC_SF=-1) for soc in (505, 610)]
    points = [
        w("w1", 160, "DCW", group=1), w("w2", 160, "DCW", group=2), w("w3", 160, "DCW", group=3),
        w("w4", 160, "DCW", group=4), w("s1", 804, "SoC"), w("s2", 804, "SoC", instance=2),
        w("s3", 804, "SoC", instance=3), w("either", [101, 103, 804], "SoC"),
    ]  # fmt: skip
    async with serve(chain(COMMON, mppt, *strings)) as served, linked(served, *points) as (link, its):
        seen = await values(link, its)
        assert (seen["w1"], seen["w2"], seen["s1"], seen["s2"], seen["either"]) == (1000.0, 2000.0, 50.5, 61.0, 50.5)
        assert math.isnan(seen["w3"]) and math.isnan(seen["w4"]) and math.isnan(seen["s3"])
        assert "3 repetitions here, not 4" in link.remarks(its)["d.w4"].en
        assert "the device has no model 804 (number 3)" in link.remarks(its)["d.s3"].en


@pytest.mark.asyncio
async def test_floats_64_bits_and_texts() -> None:
    der = model(701, TotWhInj=2**40 + 1, TotWh_SF=0, W=-32768 + 1, W_SF=1)
    points = [
        w("f", 113, "W"), w("nan", 113, "VA"), w("wh", 701, "TotWhInj"), w("w", 701), w("varh", 701, "TotVarhInj"),
        w("sn", 1, "SN", kind="text"), w("opt", 1, "Opt", kind="text"), w("gone", 801, "ID", kind="text"),
    ]  # fmt: skip
    async with serve(chain(COMMON, model(113, W=1234.5), der)) as served, linked(served, *points) as (link, its):
        seen = await values(link, its)
        assert (seen["f"], seen["wh"], seen["w"]) == (1234.5, float(2**40 + 1), -327670.0)
        assert math.isnan(seen["nan"]) and math.isnan(seen["varh"])
        assert await link.read_texts(its) == {"sn": "A-0042", "opt": ""}


@pytest.mark.asyncio
async def test_a_scale_factor_counts_as_it_is_when_read() -> None:
    async with serve(chain(INVERTER_103)) as served, linked(served, w(), w("f", name="Hz")) as (link, its):
        plan = link.plan(its, its.points)
        assert (await link.read(plan)).value.tolist() == [15234.0, 50.01]
        await served.put(40002 + 15, 1)  # W_SF
        assert (await link.read(plan)).value.tolist() == [152340.0, 50.01]
        for nonsense in (0x8000, 77, 0xFFF0):
            await served.put(40002 + 15, nonsense)
            updates = await link.read(plan)
            assert math.isnan(updates.value[0]) and updates.quality.tolist() == [q.IV, 0]
            assert "scale factor" in link.remarks(its)["d.w"].en
        await served.put(40002 + 15, 0)
        assert (await link.read(plan)).value.tolist() == [15234.0, 50.01]
        assert link.remarks(its) == {}


# --- chains that are not as they should be --------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_models_before_a_break_in_the_chain_are_used() -> None:
    async with (
        serve(chain(COMMON, INVERTER_103, end=False)) as served,
        linked(served, w(), w("soc", 802, "SoC")) as (link, its),
    ):
        seen = await values(link, its)
        assert seen["w"] == 15234.0 and math.isnan(seen["soc"])
        assert "no model 802; its chain of models breaks off at register" in link.remarks(its)["d.soc"].en


@pytest.mark.asyncio
@pytest.mark.parametrize("garbage", [[0, 0], [0, 5], [7, 65535], [124, 40000]])
async def test_garbage_ends_the_chain_and_says_where(garbage: Sequence[int]) -> None:
    async with serve(chain(INVERTER_103, garbage, [9] * 40)) as served, linked(served, w()) as (link, its):
        assert (await values(link, its))["w"] == 15234.0
        assert "ends in garbage at register 40054" in str((await link.chain("d")).trouble)


@pytest.mark.asyncio
async def test_a_device_that_says_anything_everywhere_is_no_endless_walk() -> None:
    async with serve(chain(*[[300, 0]] * 400)) as served, linked(served, w()) as (link, its):
        assert math.isnan((await values(link, its))["w"])
        assert "more than 250 models" in link.remarks(its)["d.w"].en


@pytest.mark.asyncio
async def test_a_shorter_model_of_an_older_version_has_what_fits() -> None:
    shorter = INVERTER_103[:40]
    shorter[1] = 38
    async with serve(chain(shorter)) as served, linked(served, w(), w("evt", name="Evt1")) as (link, its):
        seen = await values(link, its)
        assert seen["w"] == 15234.0 and math.isnan(seen["evt"])
        assert "38 registers here, and Evt1 stands behind them" in link.remarks(its)["d.evt"].en


@pytest.mark.asyncio
async def test_a_chain_that_changed_is_noticed_and_walked_again() -> None:
    async with (
        serve(chain(INVERTER_103, model(802, SoC=50, SoC_SF=0))) as served,
        linked(served, w(), w("soc", 802, "SoC")) as (link, its),
    ):
        plan = link.plan(its, its.points)
        assert (await link.read(plan)).value.tolist() == [15234.0, 50.0]
        moved = chain(IDLE, INVERTER_103, model(802, SoC=60, SoC_SF=0)[:50], end=False)
        moved[2 + 5 + 52 + 1] = 62
        await served.put(40000, *moved[:100])
        with pytest.raises(ProtocolError, match=r"where model 103 of 50 registers was, now stands 64001 of 3"):
            await link.read(plan)
        assert (await link.read(plan)).value[0] == 15234.0


@pytest.mark.asyncio
async def test_after_a_loss_the_chain_is_walked_again() -> None:
    async with serve(chain(INVERTER_103)) as served:
        port = served.port
        async with linked(served, w()) as (link, its):
            plan = link.plan(its, its.points)
            await link.read(plan)
            before = await link.chain("d")
            # The device goes away and comes back with another firmware: another model before the one that is read.
            await served.stop()
            with pytest.raises(TransportError):
                await link.read(plan)
            async with serve(chain(COMMON, INVERTER_103), port=port):
                await link.connect()
                assert (await link.read(plan)).value.tolist() == [15234.0]
            assert (await link.chain("d")) is not before


# --- writing ------------------------------------------------------------------------------------------------------

DER = model(704, WSet=0, WSet_SF=2, WSetEna=0, WMaxLimPct=1000, WMaxLimPct_SF=-1)


@pytest.mark.asyncio
async def test_setpoints_are_scaled_by_the_device_and_read_back() -> None:
    points = [
        w("p", 704, "WSet", kind="setpoint", scale=0.001), w("on", 704, "WSetEna", kind="setpoint"),
        w("limit", 704, "WMaxLimPct", kind="setpoint"), w("rate", 124, "OutWRte", kind="setpoint"),
        w("mode", 124, "StorCtl_Mod", kind="setpoint", bit=1),
    ]  # fmt: skip
    storage = model(124, OutWRte=10000, InOutWRte_SF=-2, StorCtl_Mod=1)
    async with serve(chain(DER, storage)) as served, linked(served, *points) as (link, its):
        assert isinstance(link, Writable) and isinstance(link, Pollable)
        p, on, limit, rate, mode = its.points
        assert await link.write(p, -12.3) == pytest.approx(-12.3)
        assert await served.get(40002 + 24, 2) == [0xFFFF, 0x10000 - 123]
        assert await link.write(on, 1) == 1
        assert await link.write(limit, 62.5) == pytest.approx(62.5)
        assert await link.write(rate, -55.25) == pytest.approx(-55.25)
        assert await link.write(mode, 1) == 1
        assert (await values(link, its))["mode"] == 1
        assert await served.get(40002 + len(DER) + 5) == [3]
        await served.put(40002 + 55, 0)  # WSet_SF, changed by the device itself
        assert await link.write(p, -12.3) == pytest.approx(-12.3)
        assert await served.get(40002 + 24, 2) == [0xFFFF, 0x10000 - 12300]


LIMIT = {"model": 123, "name": "WMaxLimPct", "of": {"model": 121, "point": "WMax"}, "kind": "setpoint", "scale": 0.001}
POWER = {
    "model": 124, "name": "OutWRte", "of": {"model": 124, "point": "WChaMax"}, "opposite": "InWRte", "kind": "setpoint",
    "scale": 0.001,
}  # fmt: skip


@pytest.mark.asyncio
async def test_a_percentage_is_as_much_of_what_the_device_says_that_it_is_of() -> None:
    settings = model(121, WMax=6000, WMax_SF=1)
    limits = model(123, WMaxLimPct=8000, WMaxLimPct_SF=-2)
    async with serve(chain(settings, limits)) as served, linked(served, w("limit", **LIMIT)) as (link, its):
        (limit,) = its.points
        assert await values(link, its) == {"limit": pytest.approx(48.0)}
        assert await link.write(limit, 15.0) == pytest.approx(15.0)
        at = 40002 + len(settings)
        assert await served.get(at + 5) == [2500]
        await served.put(40002 + 2, 3000)  # its owner has lowered it
        assert await values(link, its) == {"limit": pytest.approx(7.5)}
        assert await link.write(limit, 15.0) == pytest.approx(15.0)
        assert await served.get(at + 5) == [5000]
        await served.put(40002 + 2, 0xFFFF)
        assert math.isnan((await values(link, its))["limit"])
        assert "percent of" in link.remarks(its)["d.limit"].en
        await served.put(40002 + 2, 0)
        with pytest.raises(ValueError, match="WMax of model 121, of which it is a percentage, is 0 there"):
            await link.write(limit, 15.0)
        assert await served.get(at + 5) == [5000]


@pytest.mark.asyncio
async def test_a_percentage_of_what_the_device_has_not_is_none() -> None:
    async with (
        serve(chain(model(123, WMaxLimPct=80, WMaxLimPct_SF=0))) as served,
        linked(served, w("limit", **LIMIT)) as (link, its),
    ):
        assert math.isnan((await values(link, its))["limit"])
        assert "no model 121" in link.remarks(its)["d.limit"].en
        with pytest.raises(ValueError, match="no model 121"):
            await link.write(its.points[0], 5)


@pytest.mark.asyncio
async def test_both_rates_of_a_storage_are_written_at_once_one_the_negative_of_the_other() -> None:
    storage = model(124, WChaMax=5000, WChaMax_SF=1, OutWRte=10000, InWRte=10000, InOutWRte_SF=-2)
    seen: list[tuple[int, int]] = []
    async with serve(chain(storage)) as served, linked(served, w("p", **POWER)) as (link, its):
        put = link._put

        async def heard(device: str, address: Any, content: Sequence[int]) -> None:
            seen.append((address.register, len(content)))
            await put(device, address, content)

        setattr(link, "_put", heard)  # noqa: B010 (mypy)
        (p,) = its.points
        for power, out, in_ in ((-20.0, 0x10000 - 4000, 4000), (12.5, 2500, 0x10000 - 2500), (0.0, 0, 0)):
            assert await link.write(p, power) == pytest.approx(power)
            assert await served.get(40002 + 12, 2) == [out, in_]
            assert await values(link, its) == {"p": pytest.approx(power)}
        assert seen == [(40002 + 12, 2)] * 3
        with pytest.raises(ValueError, match="cannot be set to 1000 "):
            await link.write(p, 1000)
        assert await served.get(40002 + 12, 2) == [0, 0]


@pytest.mark.asyncio
async def test_a_storage_that_takes_one_rate_alone_is_found_out_by_reading_back() -> None:
    storage = model(124, WChaMax=5000, WChaMax_SF=1, OutWRte=10000, InWRte=10000, InOutWRte_SF=-2)
    async with serve(chain(storage)) as served, linked(served, w("p", **POWER)) as (link, its):
        put = link._put

        async def half(device: str, address: Any, content: Sequence[int]) -> None:
            await put(device, address, [content[0], 10000])

        setattr(link, "_put", half)  # noqa: B010 (mypy)
        assert await link.write(its.points[0], 10.0) == pytest.approx(-50.0)


@pytest.mark.asyncio
async def test_what_cannot_be_written_says_why_and_sends_nothing() -> None:
    points = [
        w("p", 704, "WSet", kind="setpoint", scale=0.001), w("gone", 123, "WMaxLimPct", kind="setpoint"),
        w("limit", 704, "WMaxLimPct", kind="setpoint"), w("w"), w("q", 704, "VarSet", kind="setpoint"),
    ]  # fmt: skip
    async with serve(chain(DER, INVERTER_103)) as served:
        async with linked(served, *points) as (link, its):
            p, gone, limit, w_, q_ = its.points
            for each, value, why in (
                (p, 1e9, "cannot be set to 1e"), (gone, 50, "no model 123"), (limit, 6553.5, "not implemented"),
                (w_, 1, "to read only"), (q_, 1, "scale factor is not implemented"),
            ):  # fmt: skip
                with pytest.raises(ValueError, match=why):
                    await link.write(each, value)
        async with linked(served, *points, read_only=True) as (link, its):
            with pytest.raises(ReadOnlyError):
                await link.write(its.points[0], 1)
        assert await served.get(40000, 60) == chain(DER, INVERTER_103)[:60]


# --- finding by itself ----------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_device_is_proposed_with_what_it_implements_and_the_proposal_loads(tmp_path: Any) -> None:
    meter = model(203, W=-250, W_SF=1, TotWhImp=7000, TotWh_SF=0)
    parts = (COMMON, INVERTER_103, model(160, [{"DCW": 7}, {"DCW": 8}], DCW_SF=0), meter, IDLE)
    async with serve(chain(*parts)) as served:
        driver = tcp()
        assert isinstance(driver, Discovering)
        connection = {"host": "127.0.0.1", "port": served.port}
        (proposal,) = await driver.discover(connection, ManualClock(), 10.0)
        assert proposal.why.en == "SunSpec at register 40000: Acme Sun 15k, models 1 103 160 203 64001"
        found = {each["id"]: each for each in proposal.device["points"]}
        assert proposal.device["kind"] == "pv_inverter" and proposal.device["name"] == "Acme Sun 15k"
        assert found["p_kw"]["role"] == "active_power" and found["p_kw"]["unit"] == "kW"
        assert found["p_kw"]["name"] == {"en": "Active power", "zh": "有功功率"}
        assert "role" not in found["p_kw_m203"] and found["p_kw_m203"]["address"] == {"model": 203, "point": "W"}
        assert found["mppt2_p_kw"]["address"] == {"model": 160, "point": "DCW", "group": 2}
        assert found["e_import_kwh"]["role"] == "energy_import"
        assert "i_dc_a" not in found and "mppt1_u_v" not in found  # not implemented
        station = tmp_path / "station.yaml"
        head = {"id": "s", "name": "S", "timezone": "UTC", "location": {"latitude": 0, "longitude": 0}}
        content = {"version": 1, "station": head, "devices": [dict(proposal.device)]}
        station.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        its = load_station(tmp_path).station.devices[0]
        assert driver.check(its) == []
        link = driver.open([its], ManualClock(), read_only=True)
        assert isinstance(link, SunSpecLink)
        await link.connect()
        seen = await values_of_polled(link, its)
        await link.close()
        assert seen["p_kw"] == 15.234 and seen["p_kw_m203"] == -2.5 and seen["mppt2_p_kw"] == 0.008
        assert not [id_ for id_, value in seen.items() if math.isnan(value)]


@pytest.mark.asyncio
@pytest.mark.parametrize("timeout", [True, False])
async def test_a_storage_is_proposed_as_it_is_commanded(timeout: bool) -> None:
    basic = {"WChaMax": 5000, "WChaMax_SF": 1, "OutWRte": 0, "InWRte": 0, "InOutWRte_SF": -2, "StorCtl_Mod": 0}
    storage = model(124, ChaState=55, ChaState_SF=0, **basic, **({"InOutWRte_RvrtTms": 0} if timeout else {}))
    limits = model(123, WMaxLimPct=80, WMaxLimPct_SF=0, WMaxLim_Ena=0)
    async with serve(chain(COMMON, INVERTER_103, model(121, WMax=6000, WMax_SF=1), limits, storage)) as served:
        connection = {"host": "127.0.0.1", "port": served.port}
        driver = tcp()
        assert isinstance(driver, Discovering)
        (proposal,) = await driver.discover(connection, ManualClock(), 10.0)
    found = {each["id"]: each for each in proposal.device["points"]}
    assert proposal.device["kind"] == "pcs" and found["soc_pct"]["role"] == "soc"
    assert found["p_set_kw"]["role"] == "active_power_setpoint"
    assert found["p_set_kw"]["address"]["opposite"] == "InWRte"
    assert "role" not in found["p_limit_kw"]  # two masters are one too many
    switch = {"point": "control", "value": 3}
    assert proposal.device["control"] == (
        {"expiry": "10s", "enable": [{"point": "rate_timeout_s", "value": 10}, switch]}
        if timeout else {"enable": [switch]}
    )  # fmt: skip


async def values_of_polled(link: SunSpecLink, its: Device) -> dict[str, float]:
    points = [each for each in its.points if each.polled]
    updates = await link.read(link.plan(its, points))
    return {each.id: value for each, value in zip(points, updates.value.tolist(), strict=True)}


@pytest.mark.asyncio
async def test_several_instruments_and_strings_get_ids_and_names_of_their_own() -> None:
    temperatures = model(303, [{"TmpBOM": value} for value in (251, 262, 273)])
    strings = [model(804, SoC=50, SoC_SF=0, Idx=number) for number in (1, 2, 3)]
    async with serve(chain(COMMON, temperatures, model(802, SoC=55, SoC_SF=0), *strings)) as served:
        driver = tcp()
        assert isinstance(driver, Discovering)
        (proposal,) = await driver.discover({"host": "127.0.0.1", "port": served.port}, ManualClock(), 10.0)
        points = proposal.device["points"]
        ids = [each["id"] for each in points]
        assert len(ids) == len(set(ids)) and proposal.device["kind"] == "bms"
        assert {"t_module_degc", "t_module_degc_2", "t_module_degc_3", "soc_pct", "m804_so_c", "m804_so_c_3"} <= set(
            ids
        )
        names = {each["id"]: each["name"] for each in points}
        assert names["t_module_degc_3"] == {"en": "Module temperature 3", "zh": "组件温度 3"}
        assert [each["id"] for each in points if each.get("role") == "module_temperature"] == ["t_module_degc"]


@pytest.mark.asyncio
async def test_looking_around_where_nothing_is_says_so_in_time() -> None:
    driver = tcp()
    assert isinstance(driver, Discovering)
    async with serve([1, 2, 3], base=0) as served:
        with pytest.raises(ProtocolError, match="no SunSpec map"):
            await driver.discover({"host": "127.0.0.1", "port": served.port}, ManualClock(), 5.0)
    with pytest.raises(TransportError):
        await driver.discover({"host": "127.0.0.1", "port": served.port}, ManualClock(), 5.0)
