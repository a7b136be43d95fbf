"""A control centre that this project did not write: c104, in a process of its own."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from app.model import quality as q
from tests.support.foreign_centre import ForeignCentre
from tests.support.northbound_station import Offering
from tests.support.tee import Tee
from tests.support.tshark import decoded, packets, write_capture

GOOD = (("breaker", 1), ("door", 0), ("p_kw", 123.4), ("q_kvar", -250), ("tap", -3), ("e_kwh", 1_234_567), ("p_set", 0))
SHOWN = {1: 1.0, 2: 0.0, 16385: pytest.approx(123.4, abs=1e-4), 16386: 1234.0, 16387: -0.25, 16388: -3.0}


def test_an_interrogation_brings_everything_but_counters(tmp_path: Path) -> None:
    with Offering(tmp_path) as offering:
        offering.give(*GOOD)
        with ForeignCentre(offering.status.port) as centre:
            centre.connect()
            centre.does("interrogate")
            centre.drain(0.5)
            came = [one for one in centre.said if one.get("cause") == "INTERROGATED_BY_STATION"]
            assert {one["point"]: one["value"] for one in came} == SHOWN
            assert len(came) == len(SHOWN) and {one["quality"] for one in came} == {""}
            offering.until(lambda: offering.status.transferring)


def test_groups_and_counters_are_interrogated_by_themselves(tmp_path: Path) -> None:
    with Offering(tmp_path) as offering:
        offering.give(*GOOD)
        with ForeignCentre(offering.status.port) as centre:
            centre.connect()
            centre.does("interrogate", group=1)
            centre.does("interrogate", group=2)
            centre.does("count")
            centre.drain(0.5)
            assert [(one["point"], one["cause"]) for one in centre.said if one.get("cause", "SP")[:2] != "SP"] == [
                (1, "INTERROGATED_BY_GROUP_1"), (2, "INTERROGATED_BY_GROUP_1"), (16385, "INTERROGATED_BY_GROUP_2"),
                (25601, "REQUESTED_BY_GENERAL_COUNTER"),
            ]  # fmt: skip
            assert next(one["value"] for one in centre.said if one.get("point") == 25601) == 1_234_567


def test_changes_come_by_themselves_with_source_time_and_quality(tmp_path: Path) -> None:
    with Offering(tmp_path) as offering:
        offering.give(*GOOD)
        with ForeignCentre(offering.status.port) as centre:
            centre.connect()
            centre.does("interrogate")
            at = time.time_ns() // 10**6 * 10**6 - 10**9
            offering.give(("p_kw", 200.0), time_ns=at)
            one = centre.hears_point(16385, "SPONTANEOUS")
            assert (one["value"], one["type"], one["time"]) == (200.0, "M_ME_TF_1", pytest.approx(at / 1e9, abs=1e-3))
            offering.give(("p_kw", 200.4))  # within the deadband
            offering.give(("breaker", 0), time_ns=at)
            one = centre.hears_point(1, "SPONTANEOUS", value=0.0)
            assert (one["value"], one["type"], one["time"]) == (0.0, "M_SP_TB_1", pytest.approx(at / 1e9, abs=1e-3))
            assert [s["value"] for s in centre.said if s.get("point") == 16385 and s["cause"] == "SPONTANEOUS"] == [200]
            offering.give(("p_kw", 200.0, q.NT), ("breaker", 0, q.NT | q.SB), ("door", float("nan")))
            centre.drain(0.5)
            last = {one["point"]: one["quality"] for one in centre.said if "point" in one}
            assert "NonTopical" in last[1] and "Substituted" in last[1]
            assert "NonTopical" in last[16385] and "Invalid" in last[2]


def test_commands_are_refused_and_recorded(tmp_path: Path) -> None:
    with Offering(tmp_path) as offering, ForeignCentre(offering.status.port) as centre:
        centre.connect()
        assert not centre.does("command", ioa=25089, type="C_SE_NC_1", value=60.0)
        assert not centre.does("command", ioa=24577, type="C_SC_NA_1", value=1, select=True)
        assert not centre.does("command", ioa=25090, type="C_SE_NC_1", value=7.0)
        assert not centre.does("command", ioa=77, type="C_SC_NA_1", value=1)
        offering.until(lambda: len(offering.journal) == 3)
        (source, message, value), (switch, words, _), (agc, other, _) = offering.journal
        assert (source, value, switch, agc) == ("m.p_set", 120.0, "m.close", "_northbound.dispatch1")
        assert message.en.startswith("Dispatch centre City dispatch (127.0.0.1:")
        assert message.en.endswith(
            "orders Meter p_set 120.0 kW: refused, orders are not accepted from it ('orders: refuse')"
        )
        assert "地调" in message.zh and "已拒绝" in message.zh
        assert "selects Meter close close" in words.en and "选择 电表 close 合" in words.zh
        assert "AGC target 7" in other.en
        assert offering.status.orders == 3


def test_the_clock_is_not_set_by_others(tmp_path: Path) -> None:
    with Offering(tmp_path) as offering, ForeignCentre(offering.status.port) as centre:
        centre.connect()
        assert not centre.does("clock")
        offering.until(lambda: offering.status.clock_ahead_s is not None)


def test_a_clock_is_confirmed_where_that_is_asked_for(tmp_path: Path) -> None:
    with Offering(tmp_path, more="clock_sync: confirm") as offering, ForeignCentre(offering.status.port) as centre:
        centre.connect()
        assert any(centre.does("clock") for _ in range(5))
        offering.until(lambda: abs(offering.status.clock_ahead_s or 9) < 2)


def test_five_thousand_changes_at_once_all_arrive_in_their_order(tmp_path: Path) -> None:
    with Offering(tmp_path) as offering:
        offering.give(*GOOD)
        with ForeignCentre(offering.status.port) as centre:
            centre.connect()
            centre.does("interrogate")
            for start in range(0, 5000, 1000):
                offering.give(*(("p_kw", float(n)) for n in range(start + 1000, start + 2000)))
            centre.hears_point(16385, "SPONTANEOUS", value=5999.0)
            values = [s["value"] for s in centre.said if s.get("point") == 16385 and s["cause"] == "SPONTANEOUS"]
            assert values == [float(n) for n in range(1000, 6000)]


def test_another_connection_takes_over_what_was_not_delivered(tmp_path: Path) -> None:
    """Two front ends of one centre: one transfers; states that change in between are told to the other."""
    with Offering(tmp_path) as offering:
        offering.give(*GOOD)
        port = offering.status.port
        with ForeignCentre(port) as first:
            first.connect()
            offering.until(lambda: offering.status.transferring)
            with ForeignCentre(port) as second:
                second.order("connect")
                offering.until(lambda: len(offering.status.connected) == 2)
                first.order("disconnect")
                offering.until(lambda: not offering.status.transferring)
                offering.give(("breaker", 0), ("p_kw", 1.0))
                offering.give(("breaker", 1), ("p_kw", 2.0))
                offering.until(lambda: offering.status.waiting == 2)
                second.does("start")
                second.hears_point(1, "SPONTANEOUS", value=1.0)
                told = [(s["point"], s["value"]) for s in second.said if s.get("cause") == "SPONTANEOUS"]
                assert told == [(1, 0.0), (1, 1.0)]
                second.does("interrogate")
                second.drain(0.5)
                assert [s["value"] for s in second.said if s.get("point") == 16385] == [2.0]


def test_independent_connections_are_all_told(tmp_path: Path) -> None:
    with Offering(tmp_path, more="connections: independent") as offering:
        offering.give(*GOOD)
        with ForeignCentre(offering.status.port) as first, ForeignCentre(offering.status.port) as second:
            first.connect()
            second.connect()
            offering.until(lambda: len(offering.status.transferring) == 2)
            offering.give(("breaker", 0))
            assert first.hears_point(1, "SPONTANEOUS")["value"] == second.hears_point(1, "SPONTANEOUS")["value"] == 0


def test_what_passes_between_us_and_a_foreign_master_is_sound_to_tshark(tmp_path: Path) -> None:
    """Both directions, decoded by a third party: nothing malformed, windows kept, every request answered as it should."""
    with Offering(tmp_path) as offering:
        offering.give(*GOOD)
        with Tee(offering.status.port) as tee, ForeignCentre(tee.port) as centre:
            centre.connect()
            # What the library makes of an answer is not asked: one that comes faster than it begins to wait is missed.
            for order in ({"do": "interrogate"}, {"do": "interrogate", "group": 1}, {"do": "count"}, {"do": "test"}):
                centre.does(**order)
            centre.does("clock")
            centre.does("command", ioa=25089, type="C_SE_NC_1", value=60.0)
            centre.does("command", ioa=24577, type="C_SC_NA_1", value=1, select=True)
            centre.does("command", ioa=77, type="C_SC_NA_1", value=1)
            centre.does("interrogate", ca=9)
            for n in range(100):
                offering.give(("breaker", n % 2), ("p_kw", 200.0 + n))
            centre.hears_point(16385, "SPONTANEOUS", value=299.0)
    capture = tmp_path / "passed.pcap"
    write_capture(capture, tee.passed, 2404)
    assert not packets(capture, 2404, "_ws.malformed || _ws.expert.severity >= 0x600000")
    names = ["tcp.srcport", "iec60870_asdu.typeid", "iec60870_asdu.causetx", "iec60870_asdu.nega"]
    seen = []
    for row in decoded(capture, 2404, names):
        source, *columns = row
        for type_, cause, negative in zip(*(column.split(",") for column in columns), strict=True):
            if type_:
                seen.append((source == "2404", int(type_), int(cause), negative in ("1", "True")))
    ours = {one[1:] for one in seen if one[0]}
    theirs = {one[1:3] for one in seen if not one[0]}
    assert theirs == {(45, 6), (50, 6), (100, 6), (101, 6), (103, 6), (107, 6)}
    assert {(100, 7, False), (100, 10, False), (101, 7, False), (101, 10, False), (70, 4, False)} <= ours
    assert {(103, 7, True), (50, 7, True), (45, 7, True), (45, 47, True), (100, 46, True)} <= ours
    assert {(30, 3, False), (36, 3, False), (1, 20, False), (1, 21, False), (15, 37, False)} <= ours
    assert not {(type_, cause) for type_, cause, negative in ours if type_ in (45, 50) and not negative}
