"""Templates of strategies: each of ours runs, what was released never changes, and whoever takes one names its version."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.control.loading import load_strategies
from app.control.templates import RESOURCES, newest_templates
from app.model.control import Rank
from app.model.station import Station
from tests.support.control_station import Bench, park

RELEASED = {
    "battery_care@1": "6a24b120efe3",
    "day_energy@1": "56e24f702014",
    "day_plan@1": "3fdf124231a9",
    "demand_quarters@1": "8c4417bcab29",
    "demand_sliding@1": "fa3f14173d2f",
    "grid_order@1": "5727c3346c71",
    "no_export@1": "1f185fa407f9",
    "outage_reserve@1": "09edf7efd173",
    "own_use@1": "f2136becf916",
    "peak_shaving@1": "4a74b82a7fc2",
    "peak_valley@1": "bb6a2218b281",
    "power_factor@1": "34eebe3a496c",
    "site_export@1": "60716b8e6b52",
    "site_import@1": "0996bd9378b2",
    "smooth_sun@1": "432b431e252b",
    "two_cycles@1": "076f4170028f",
}
"""Template -> the first of its SHA-256: what runs by it is not changed. Another text is another version."""
ALL = ["pcs1", "pcs2", "inv1", "inv2"]
NEEDS: dict[str, dict[str, Any]] = {
    "peak_valley": {"tariff": "zhejiang"}, "two_cycles": {"tariff": "zhejiang"}, "demand_sliding": {"limit_kw": 90},
    "demand_quarters": {"limit_kw": 90}, "peak_shaving": {"limit_kw": 90}, "grid_order": {"order": "meter1.order"},
    "outage_reserve": {"reserve_pct": 20}, "day_plan": {"plan": [0.0] * 96}, "day_energy": {"plan": [0.0] * 96},
    "smooth_sun": {"kw_per_min": 10},
}  # fmt: skip
"""What whoever takes one has to say beside it."""
OWN = "version: 1\nkind: peak_shaving\nname: {en: Ours, zh: 自用}\nabout: {en: A test, zh: 测试}\nparams: {limit_kw: 70}\n"


@pytest.fixture
def station(tmp_path: Path) -> Station:
    return park(tmp_path, limits={"import_kw": 200, "export_kw": 100})


def entry(template: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "a",
        "template": template,
        "devices": ALL,
        "params": NEEDS.get(template.partition("@")[0], {}),
        **more,
    }


def loaded(station: Station, *entries: dict[str, Any]) -> tuple[Any, list[str], str]:
    bound, faults, digest = load_strategies(station, yaml.safe_dump({"strategies": list(entries)}))
    return bound, [fault.words.en for fault in faults], digest


def own(station: Station, name: str, text: str = OWN) -> None:
    (station.directory / "strategies").mkdir(exist_ok=True)
    (station.directory / "strategies" / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("template", [one.id for one in newest_templates(())])
def test_each_of_ours_runs_with_what_has_to_be_said_beside_it(station: Station, template: str) -> None:
    bench = Bench(station, [entry(template)])
    bench.set(**{"meter1.order": 50.0})
    bench.run()
    runner = bench.controller.runners[0]
    assert runner.wish is not None and runner.wish.sound and not runner.failed, runner.wish
    needs = NEEDS.get(template.partition("@")[0])
    assert not needs or loaded(station, entry(template, params={}))[1], "it says all by itself"


def test_what_was_released_stays_as_it_is() -> None:
    found = {
        file.stem: hashlib.sha256(file.read_text(encoding="utf-8").encode()).hexdigest()[:12]
        for file in RESOURCES.glob("*.yaml")
    }
    assert found == RELEASED


def test_the_reference_lists_each_of_ours_with_what_it_says() -> None:
    page = (RESOURCES.parents[1] / "docs" / "reference" / "control.md").read_text(encoding="utf-8")
    rows = {
        line.split("|")[1].strip(" `"): line for line in page.splitlines() if line.startswith("| `") and "@" in line
    }
    ours = {one.id: one.form for one in newest_templates(())}
    assert rows.keys() == ours.keys()
    for id_, form in ours.items():
        assert f"`{form.kind}`" in rows[id_] and form.name.zh in rows[id_], id_
        assert all(f"`{key}`" in rows[id_] for key in form.params), id_


def test_what_an_entry_says_itself_comes_before_its_template(station: Station) -> None:
    (bound,), faults, _ = loaded(station, entry("own_use@1"))
    assert faults == [] and (bound.strategy.params.limit_kw, bound.given) == (0, {})
    assert (bound.template, bound.name.zh, bound.rank) == ("own_use@1", "自发自用", Rank.DEMAND)
    (bound,), faults, _ = loaded(station, entry("own_use@1", params={"limit_kw": 5}, priority="plan", name="Mine"))
    assert faults == [] and (bound.strategy.params.limit_kw, bound.strategy.params.recharge_below_kw) == (5, 0)
    assert (bound.params, bound.name.en, bound.rank) == (
        {"limit_kw": 5, "recharge_below_kw": 0}, "Mine", Rank.PLAN,
    )  # fmt: skip


def test_own_use_holds_the_meter_at_nothing(station: Station) -> None:
    bench = Bench(station, [{**entry("own_use@1"), "devices": ["pcs1", "pcs2"]}])
    bench.set(**{"meter1.p_kw": 40.0})
    assert sum(bench.run().values()) == pytest.approx(40)
    bench.set(**{"meter1.p_kw": -30.0, "pcs1.p_kw": 0.0, "pcs2.p_kw": 0.0})
    assert sum(bench.run().values()) == pytest.approx(-30)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"template": "own_use"}, "no template of strategies 'own_use'; write its name and version, such as: own_use@1"),
        ({"template": "own_use@2"}, "such as: own_use@1"),
        ({"template": "../own_use@1"}, "no template"),
        ({"template": "nobody@1"}, "such as: battery_care@1, broken@1, day_energy@1"),
        ({"kind": "peak_shaving"}, "a kind and a template, or neither"),
        ({"template": None}, "a kind and a template, or neither"),
        ({"template": "broken@1"}, "broken@1.yaml:4: about"),
        ({"template": "odd@1"}, "unknown kind 'magic'"),
        ({"template": "torn@1"}, "torn@1.yaml"),
    ],
)  # fmt: skip
def test_a_wrong_one_is_told(station: Station, change: dict[str, Any], words: str) -> None:
    own(station, "broken@1.yaml", OWN.replace("about: {en: A test, zh: 测试}", "about: 5"))
    own(station, "odd@1.yaml", OWN.replace("peak_shaving", "magic"))
    own(station, "torn@1.yaml", "kind: [")
    bound, faults, _ = loaded(station, {**entry("own_use@1"), **change})
    assert bound == () and words in faults[0] and len(faults) == 1, faults


def test_those_of_the_station_come_first_and_the_newest_is_offered(station: Station) -> None:
    for name in ("own_use@1.yaml", "mine@9.yaml", "mine@10.yaml", "no version.yaml", "bad@0.yaml"):
        own(station, name)
    own(station, "broken@1.yaml", "kind: [")
    offered = {one.id: one.form.name.en for one in newest_templates((station.directory,))}
    assert offered["own_use@1"] == offered["mine@10"] == "Ours"
    assert not set(offered) & {"mine@9", "broken@1", "bad@0"} and "peak_valley@1" in offered
    (bound,), faults, _ = loaded(station, entry("mine@9"))
    assert faults == [] and bound.params == {"limit_kw": 70}


def test_another_text_of_a_template_or_a_tariff_is_another_configuration(station: Station) -> None:
    own(station, "mine@1.yaml")
    first = loaded(station, entry("mine@1"))[2]
    own(station, "mine@1.yaml", OWN.replace("70", "80"))
    assert loaded(station, entry("mine@1"))[2] != first
    tariffs = station.directory / "tariffs"
    tariffs.mkdir()
    text = (RESOURCES.parent / "tariffs" / "demonstration.yaml").read_text(encoding="utf-8")
    (tariffs / "here.yaml").write_text(text, encoding="utf-8")
    wanted = entry("peak_valley@1", params={"tariff": "here"})
    first = loaded(station, wanted)[2]
    (tariffs / "here.yaml").write_text(text + "# another year\n", encoding="utf-8")
    assert loaded(station, wanted)[2] != first
