"""SunSpec devices that know percentages are commanded in kW: the whole way, down to the physics of the simulated park."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from app.model.control import Mode, Quantity
from tests.support.control_site import LONG_S, Site, until

AT = {"host": "127.0.0.1", "timeout": "2s"}
STORAGE: dict[str, Any] = {
    "id": "ess1", "name": "Storage", "kind": "pcs", "template": "sunspec/storage", "connection": {**AT, "port": 1502},
    "ratings": {"power_kw": 100, "energy_kwh": 200},
}  # fmt: skip
SUN: dict[str, Any] = {
    "id": "sun1", "name": "Sun", "kind": "pv_inverter", "template": "sunspec/inverter",
    "connection": {**AT, "port": 1503}, "ratings": {"power_kw": 60},
}  # fmt: skip


def follows(site: Site, power_kw: float) -> bool:
    """The storage gives so much, and both of its rates say so (its rating is 100 kW)."""
    return abs(site.value("ess1.p_kw") - power_kw) < 2 and site.value("ess1.charge_rate_pct") == -power_kw


def test_a_storage_of_model_124_and_an_inverter_of_model_123_do_what_they_are_asked_for(
    make: Callable[..., Site],
) -> None:
    site = make(only=("meter1", "load1"), devices=[STORAGE, SUN])
    control = site.door.control
    for device in ("ess1", "sun1"):
        control.set_mode(device, Mode.MANUAL).result(LONG_S)
    until(lambda: site.value("sun1.p_kw") > 20)
    control.request("sun1", Quantity.LIMIT, 12.0, reason="a test").result(LONG_S)
    until(lambda: site.value("sun1.p_kw") < 13)
    until(lambda: abs(site.value("sun1.p_limit_pct") - 20) < 0.1 and site.value("sun1.p_limit_on") == 1)
    before = site.value("meter1.p_kw")
    for power_kw in (-30.0, 45.0):
        control.request("ess1", Quantity.ACTIVE, power_kw, reason="a test").result(LONG_S)
        until(partial(follows, site, power_kw))
    until(lambda: site.value("meter1.p_kw") < before - 20)
    assert site.value("ess1.control") == 3 and site.value("ess1.rate_timeout_s") == 10
    assert site.channel("ess1").held == 45 and not {one for one in site.alarms() if one.startswith("control")}
