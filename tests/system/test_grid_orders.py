"""A dispatch centre orders by IEC 60870-5-104, and the park follows: real 104, real Modbus, and the ledger between."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Any

import pytest

from app.model.control import Mode, Quantity, Rank
from tests.support.control_site import LONG_S, Site, until
from tests.support.foreign_centre import ForeignCentre

OFFER = """version: 1
iec104:
  - id: dispatch1
    name: {en: City dispatch, zh: 地调}
    listen: {host: 127.0.0.1, port: 0}
    ca: 1
    allow: any
    orders: ORDERS
    lost_after: 1h
    points:
      - {point: meter1.p_kw, ioa: 16385, type: M_ME_NC_1}
    commands:
      - {point: pcs1.p_set_kw, ioa: 25089, type: C_SE_NC_1}
      - {point: pcs2.p_set_kw, ioa: 25090, type: C_SE_NC_1, select: true}
      - {name: {en: Export limit, zh: 上网限值}, ioa: 25091, type: C_SE_NC_1}
      - {name: {en: Unused, zh: 未用}, ioa: 25092, type: C_SE_NC_1}
      - {point: pcs2.stop, ioa: 24577, type: C_SC_NA_1}
"""
FOLLOW = {"id": "limit", "kind": "curtailment", "devices": ["pcs1", "pcs2", "inv1", "inv2"],
          "params": {"order": "northbound.dispatch1.25091"}}  # fmt: skip


@pytest.fixture
def ordered(make: Callable[..., Site]) -> Callable[..., tuple[Site, Any]]:
    def make_(orders: str = "accept", **more: Any) -> tuple[Site, Any]:
        site = make(strategies=[FOLLOW], files={"northbound.yaml": OFFER.replace("ORDERS", orders)}, **more)
        until(lambda: site.door.northbound.status()[0].port)
        return site, site.door.northbound.status()[0].port

    return make_


def setpoint(centre: ForeignCentre, ioa: int, kw: float, **more: Any) -> bool:
    return bool(centre.does("command", ioa=ioa, type="C_SE_NC_1", value=kw, **more))


def test_setpoints_curtailment_and_commands_are_followed_and_written_down(ordered: Callable[..., Any]) -> None:
    site, port = ordered()
    with ForeignCentre(port) as centre:
        centre.connect()
        assert setpoint(centre, 25089, 120.0)
        until(lambda: abs(site.value("pcs1.p_kw") - 120) < 6)
        row = site.channel("pcs1")
        assert row.holder == "dispatch1" and row.wanted[0].rank is Rank.GRID and row.wanted[0].who == "dispatch1"
        assert not setpoint(centre, 25090, 50.0), "it was not selected"
        assert setpoint(centre, 25090, 50.0, select=True)
        until(lambda: abs(site.value("pcs2.p_kw") - 50) < 6)
        assert not setpoint(centre, 25092, 5.0), "nothing follows it"
        assert not setpoint(centre, 25089, 5000.0), "beyond its range"
        assert setpoint(centre, 25091, 0.0)
        until(lambda: site.value("meter1.p_kw") > -10)
        limit = next(one for one in site.door.control.state().strategies if one.id == "limit")
        assert "ordered: 0 kW" in limit.why.en
        assert centre.does("command", ioa=24577, type="C_SC_NA_1", value=1)
        until(lambda: abs(site.value("pcs2.p_kw")) < 5)
        # what a person takes over is the person's
        site.door.control.set_mode("pcs1", Mode.MANUAL).result(LONG_S)
        site.door.control.request("pcs1", Quantity.ACTIVE, -40.0).result(LONG_S)
        until(lambda: abs(site.value("pcs1.p_kw") + 40) < 6)
        assert not setpoint(centre, 25089, 10.0), "it is not in auto"

    def ended() -> list[Any]:
        return [row for row in site.ledger("control.order") if row.result != "asked"]

    def count(result: str) -> int:
        return [(row.target, row.result) for row in ended()].count(("pcs1.p_set_kw", result))

    until(lambda: count("denied") == 2)  # how it ended is written after the answer
    rows = ended()
    told = [(row.target, row.result) for row in rows]
    assert count("done") == 1
    assert ("northbound.dispatch1.25091", "done") in told and ("pcs2.stop", "done") in told
    assert all((row.actor, row.role) == ("dispatch1", "dispatch centre") for row in rows)
    words = [row.message.en for row in site.door.events.journal().result(LONG_S) if row.what == "order"]
    assert any(one.endswith("120.0 kW: accepted") for one in words)
    assert any("not within" in one for one in words) and any("was not selected" in one for one in words)
    assert site.door.audit.verify().result(LONG_S).sound


def test_an_order_stands_over_a_restart_and_protection_outranks_it(ordered: Callable[..., Any]) -> None:
    site, port = ordered()
    with ForeignCentre(port) as centre:
        centre.connect()
        assert setpoint(centre, 25089, 120.0)
        until(lambda: abs(site.value("pcs1.p_kw") - 120) < 6)
    site.stop()
    site.start()
    until(lambda: abs(site.value("pcs1.p_kw") - 120) < 6)
    assert site.channel("pcs1").holder == "dispatch1"
    file = site.park.folder / "northbound.yaml"
    file.write_text(OFFER.replace("ORDERS", "refuse"), encoding="utf-8")
    site.door.apply().result(LONG_S)
    until(lambda: site.channel("pcs1").holder != "dispatch1")
    assert not json.loads((site.data / "control.json").read_text(encoding="utf-8"))["orders"], "it may order no more"
    file.write_text(OFFER.replace("ORDERS", "accept"), encoding="utf-8")
    site.door.apply().result(LONG_S)
    until(lambda: site.door.northbound.status()[0].port)
    with ForeignCentre(site.door.northbound.status()[0].port) as centre:
        centre.connect()
        assert setpoint(centre, 25089, 120.0)
    until(lambda: abs(site.value("pcs1.p_kw") - 120) < 6)
    site.door.control.stop_all("smoke").result(LONG_S)
    until(lambda: abs(site.value("pcs1.p_kw")) < 5)


@pytest.mark.parametrize(("orders", "more"), [("refuse", {}), ("accept", {"read_only": True})])
def test_where_orders_are_not_accepted_none_reaches_a_device(
    ordered: Callable[..., Any], orders: str, more: dict[str, Any]
) -> None:
    site, port = ordered(orders, **more)
    with ForeignCentre(port) as centre:
        centre.connect()
        assert not setpoint(centre, 25089, 120.0)
        assert not setpoint(centre, 25091, 0.0)
        time.sleep(1.0)
    assert math.isnan(site.channel("pcs1").sent) and site.channel("pcs1").holder == ""
    words = [row.message.en for row in site.door.events.journal().result(LONG_S) if row.what == "order"]
    assert words and all("refused" in one for one in words)
