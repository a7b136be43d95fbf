"""What the driver complains of before anything starts, and which devices share a line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.clock import SystemClock
from drivers.bacnet import address as addresses
from drivers.bacnet import bacnet
from drivers.bacnet import connection as connections
from drivers.bacnet.address import Address
from drivers.bacnet.connection import Peer, Place
from drivers.contract import Discovering, Pollable, Reporting, Writable
from tests.support.devices import device, point

KEYS = sorted({*addresses.KEYS, *connections.KEYS})
WORDS = ("10.0.0.1", "1:2@10.0.0.1:5", "analog-input:1", "130:1", "present-value", "5min", "confirmed")
C = {"address": "10.0.0.5", "device": 5}
A = {"object": "analog-input:1", "property": "present-value"}


@pytest.mark.parametrize(
    ("connection", "key", "words"),
    [
        ({"device": 5}, "address", "such as 192.168.1.30"),
        ({"address": "10.0.0.5"}, "device", "instance number"),
        ({**C, "address": "meter1"}, "address", "no IPv4 address"),
        ({**C, "address": "10.0.0.300"}, "address", "address"),
        ({**C, "address": "10.0.0.5:0"}, "address", "cannot be"),
        ({**C, "address": "10.0.0.5:70000"}, "address", "cannot be"),
        ({**C, "address": "10.0.0.5/40"}, "address", "cannot be"),
        ({**C, "address": 5}, "address", "no IPv4 address"),
        ({**C, "address": "0:15@10.0.0.5"}, "address", "network or a station"),
        ({**C, "address": "65535:15@10.0.0.5"}, "address", "network or a station"),
        ({**C, "address": "1:255@10.0.0.5"}, "address", "network or a station"),
        ({**C, "interface": "1:2@10.0.0.5"}, "interface", "network or a station"),
        ({**C, "device": 4194303}, "device", "4194302"),
        ({**C, "device": "5"}, "device", "whole number"),
        ({**C, "interface": "eth0"}, "interface", "192.168.1.5/24:47808"),
        ({**C, "timout": "1s"}, "timout", "write 'timeout'"),
        ({**C, "timeout": 1}, "timeout", "such as 250ms"),
        ({**C, "cov": "always"}, "cov", "unconfirmed or confirmed"),
        ({**C, "cov": 0}, "cov", "unconfirmed or confirmed"),
        ({**C, "cov": True}, "cov", "unconfirmed or confirmed"),
        ({**C, "lifetime": "1s"}, "lifetime", "from 10s"),
        ({**C, "lifetime": "long"}, "lifetime", "not a duration"),
    ],
)
def test_a_connection_at_fault_is_told_with_its_mend(connection: dict[str, Any], key: str, words: str) -> None:
    complaints = bacnet().check(device("d", connection, [point("p", A)]))
    assert [one.key for one in complaints] == [key]
    assert words in f"{complaints[0].what}; {complaints[0].mend}"


@pytest.mark.parametrize(
    ("address", "key", "words"),
    [
        ({"property": "present-value"}, "object", "such as analog-input:1"),
        ({"object": "analog-input:1"}, "property", "mostly present-value"),
        ({**A, "object": "analog_input:1"}, "object", "type and instance"),
        ({**A, "object": "analog-inputs:1"}, "object", "write 'analog-input'"),
        ({**A, "object": "2000:1"}, "object", "unknown object type"),
        ({**A, "object": "analog-input:4194303"}, "object", "above 4194302"),
        ({**A, "object": "analog-input"}, "object", "type and instance"),
        ({**A, "object": 61}, "object", "in quotes"),
        ({**A, "property": "presentValue"}, "property", "write 'present-value'"),
        ({**A, "property": -1}, "property", "its number"),
        ({**A, "index": -1}, "index", "0 to 65535"),
        ({**A, "priority": 17}, "priority", "1 to 16"),
        ({**A, "priority": 6}, "priority", "minimum on and off"),
        ({**A, "cov": "no"}, "cov", "true or false"),
        ({**A, "prio": 8}, "prio", "write 'priority'"),
    ],
)
def test_an_address_at_fault_is_told_with_its_mend(address: dict[str, Any], key: str, words: str) -> None:
    complaints = bacnet().check(device("d", C, [point("p", address, kind="setpoint")]))
    assert [(one.point, one.key) for one in complaints] == [("d.p", key)]
    assert words in f"{complaints[0].what}; {complaints[0].mend}"


def test_a_priority_belongs_to_what_is_written() -> None:
    (told,) = bacnet().check(device("d", C, [point("p", {**A, "priority": 8})]))
    assert (told.key, str(told.what)) == ("priority", "a measurement is not written")


def test_addresses_are_parsed_whole() -> None:
    assert Address.of(A) == Address(0, 1, 85, None, 16, True)
    assert Address.of({**A, "cov": False, "priority": 8}) == Address(0, 1, 85, None, 8, False)
    vendor = Address.of({"object": "130:5", "property": 512, "index": 2})
    assert (vendor.reference, vendor.flagged, vendor.cov) == ((130, 5, 512, 2), False, False)
    assert not Address.of({"object": "accumulator:1", "property": "present-value"}).cov
    assert Address.of({"object": "accumulator:1", "property": "present-value"}).flagged
    assert not Address.of({**A, "property": "units"}).flagged


def test_what_a_form_offers_is_what_the_driver_takes_without_it() -> None:
    keys = bacnet().keys()
    assert [key for key, default in keys.items() if default is None] == ["address", "device"]
    given_ = {key: default for key, default in keys.items() if default is not None}
    assert bacnet().check(device("d", {**C, **given_}, [])) == []
    assert Peer.of("d", {**C, **given_}) == Peer.of("d", C)


def test_places_and_peers() -> None:
    assert [Place.of(text) for text in ("10.0.0.5", "10.0.0.5:1", "10.0.0.5/24:1", "10.0.0.5:1/24")] == [
        Place("10.0.0.5", 47808, 32), Place("10.0.0.5", 1, 32), Place("10.0.0.5", 1, 24), Place("10.0.0.5", 1, 24),
    ]  # fmt: skip
    behind = Place.of("2001:15@10.0.0.5")
    assert (behind, str(behind)) == (Place("10.0.0.5", 47808, 32, 2001, 15), "2001:15@10.0.0.5:47808")
    peer = Peer.of("d", C)
    assert (peer.timeout_s, peer.cov, peer.lifetime_s) == (1.0, "unconfirmed", 300)
    assert Peer.of("d", {**C, "cov": False, "lifetime": "1h"}).cov == ""


def test_who_shares_a_line_and_who_cannot() -> None:
    def made(id_: str, **connection: Any) -> Any:
        return device(id_, {**C, **connection}, [])

    driver = bacnet()
    assert driver.line(made("a")) == driver.line(made("b", address="10.0.0.6")) == "0.0.0.0:47808"
    assert driver.line(made("a", interface="10.0.0.1/24")) == "10.0.0.1/24:47808"
    told = driver.check_line(
        [
            made("a"),
            made("b", address="10.0.0.5:47808"),
            made("c", address="10.0.0.5:1"),
            made("e", address="1:2@10.0.0.5"),
        ]
    )
    assert [(one.device, one.key) for one in told] == [("b", "address")]


def test_what_it_can_do() -> None:
    driver = bacnet()
    link = driver.open([device("d", C, [])], SystemClock(), read_only=False)
    assert isinstance(driver, Discovering)
    assert isinstance(link, Pollable) and isinstance(link, Reporting) and isinstance(link, Writable)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.booleans(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(KEYS), ANYTHING), st.dictionaries(st.sampled_from(KEYS), ANYTHING))
def test_whatever_stands_in_a_file_is_judged_and_what_passes_can_be_opened(
    connection: dict[str, Any], address: dict[str, Any]
) -> None:
    one = device("d", connection, [point("p", address)])
    if bacnet().check(one) == []:
        bacnet().line(one)
        bacnet().open([one], SystemClock(), read_only=True)
