"""What the driver complains of before anything starts, and which devices share a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.clock import SystemClock
from drivers.contract import Pollable, Reporting, Writable
from drivers.http import address as addresses
from drivers.http import connection as connections
from drivers.http import http
from drivers.http.connection import Poll
from tests.support.devices import device, point

KEYS = sorted({*addresses.KEYS, *connections.POLL_KEYS, *connections.HOOK_KEYS})
WORDS = ("http://h/", "https://[::1]:1/?a=b", "env:A", "5s", "$.a[0]", "/a", "10.0.0.1")
URL = {"url": "http://10.0.0.5/api"}
HOOK = {"webhook": "/meter", "secret": "env:S"}
P = {"path": "$.p"}


@pytest.mark.parametrize(
    ("connection", "key", "words"),
    [
        ({}, "url", "neither url nor webhook"),
        ({"ulr": "http://h/"}, "ulr", "write 'url'"),
        ({"url": "10.0.0.5/api"}, "url", "no address of a web server"),
        ({"url": "ftp://h/"}, "url", "no address"),
        ({"url": 5}, "url", "no address"),
        ({"url": "http://[::1"}, "url", "cannot be read"),
        ({"url": "http://me:secret1@h/"}, "url", "password: secret:NAME"),
        ({"url": "http://h/?api_key=secret1"}, "url", "api_key of the url is a secret"),
        ({**URL, "every": 5}, "every", "such as 250ms"),
        ({**URL, "every": "0s"}, "every", "not a duration"),
        ({**URL, "timeout": "soon"}, "timeout", "not a duration"),
        ({**URL, "token": "secret1"}, "token", "env:NAME"),
        ({**URL, "token": "env:"}, "token", "env:NAME"),
        ({**URL, "user": "a"}, "user", "come together"),
        ({**URL, "user": "a", "password": "secret1"}, "password", "env:NAME"),
        ({**URL, "user": "a", "password": "env:P", "token": "env:T"}, "token", "not both"),
        ({**URL, "headers": ["a"]}, "headers", "no table"),
        ({**URL, "headers": {"a b": "c"}}, "headers", "no name of a header"),
        ({**URL, "headers": {"A": "b\r\nC: d"}}, "headers", "one line"),
        ({**URL, "headers": {"X-Api-Key": "secret1"}}, "headers", "X-Api-Key: secret:NAME"),
        ({**URL, "max_bytes": 10**6}, "max_bytes", "524288"),
        ({**URL, "max_bytes": "1"}, "max_bytes", "whole number"),
        ({"url": "https://h/", "ca": "nowhere.pem"}, "ca", "no file"),
        ({"url": "https://h/", "fingerprint": "abc"}, "fingerprint", "64 hexadecimal"),
        ({**URL, "fingerprint": "ab" * 32}, "url", "write https://"),
        ({**HOOK, "webhook": "meter"}, "webhook", "such as /meters/1"),
        ({**HOOK, "webhook": "/../x y"}, "webhook", "no path"),
        ({"webhook": "/meter"}, "secret", "unsigned"),
        ({"webhook": "/meter", "secret": "secret1"}, "secret", "env:NAME"),
        ({**HOOK, "every": "5s"}, "every", "known keys: webhook"),
        ({**HOOK, "port": 0}, "port", "1 to 65535"),
        ({**HOOK, "host": ""}, "host", "an address of this machine"),
        ({**HOOK, "silence": "0s"}, "silence", "not a duration"),
        ({**HOOK, "per_minute": 0}, "per_minute", "from 1"),
    ],
)
def test_a_connection_at_fault_is_told_with_its_mend(connection: dict[str, Any], key: str, words: str) -> None:
    complaints = http().check(device("d", connection, [point("p", P)]))
    assert [(one.device, one.key) for one in complaints] == [("d", key)]
    assert words in f"{complaints[0].what}; {complaints[0].mend}"
    assert "secret1" not in str(complaints)


@pytest.mark.parametrize(
    ("address", "key", "words"),
    [
        ({}, "path", "add `path:`"),
        ({"path": "p"}, "path", "does not begin with"),
        ({**P, "time": "t"}, "time", "does not begin with"),
        ({**P, "qualty": "$.q"}, "qualty", "write 'quality'"),
        ({**P, "good": 192}, "good", "without a quality"),
        ({**P, "quality": "$.q", "good": [{}]}, "good", "neither"),
        ({**P, "url": "http://elsewhere/"}, "url", "no suffix"),
        ({**P, "url": "//elsewhere/"}, "url", "no suffix"),
        ({**P, "url": 2}, "url", "no suffix"),
        ({**P, "map": {}}, "map", "no table"),
        ({**P, "map": {True: 1}}, "map", "in quotes"),
        ({**P, "map": {"RUN": "1"}}, "map", "a number"),
        ({**P, "map": {"RUN": True}}, "map", "a number"),
    ],
)
def test_an_address_at_fault_is_told_with_its_mend(address: dict[str, Any], key: str, words: str) -> None:
    complaints = http().check(device("d", URL, [point("p", address)]))
    assert [(one.point, one.key) for one in complaints] == [("d.p", key)]
    assert words in f"{complaints[0].what}; {complaints[0].mend}"


def test_a_point_must_fit_its_device() -> None:
    def said(connection: dict[str, Any], address: dict[str, Any], **form: Any) -> list[str]:
        return [str(one.what) for one in http().check(device("d", connection, [point("p", address, **form)]))]

    every = {**URL, "every": "10s"}
    assert said(every, P, scan="1s") == ["scan 1s is more often than the url is asked, every 10s"]
    assert said(every, P) == said(every, P, scan="10s") == said(every, P, scan="15s") == []
    assert said(URL, P, kind="setpoint") == ["a setpoint cannot be written over HTTP"]
    assert "nothing can be appended" in said({"url": "http://h/?a=1"}, {**P, "url": "/x"})[0]
    assert "no second url" in said(HOOK, {**P, "url": "/x"})[0]
    assert "not read for texts" in said(HOOK, P, kind="text")[0]


def test_sound_devices_pass(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("")
    for connection in (
        {"url": "https://[::1]:8443/a?b=c", "every": "500ms", "ca": str(ca), "max_bytes": 500_000},
        {**URL, "user": "me", "password": "secret:d1", "headers": {"X-Api-Key": "env:K", "X-Site": "1"}},
        {"url": "https://h", "fingerprint": "AB:" * 31 + "ab", "token": "env:T", "timeout": "10s"},
        {**HOOK, "host": "10.0.0.1", "port": 80, "silence": "1h", "window": "1min", "max_bytes": 1000},
    ):
        assert http().check(device("d", connection, [point("p", {**P, "quality": "$.q", "good": [192, "OK"]})])) == []


def test_who_shares_a_line() -> None:
    def line(connection: dict[str, Any]) -> str:
        return http().line(device("d", connection, []))

    assert line(URL) == line({"url": "http://10.0.0.5:80/other"}) != line({"url": "https://10.0.0.5/api"})
    assert line(HOOK) == line({**HOOK, "webhook": "/other", "port": 8480}) != line({**HOOK, "port": 8481})


def test_two_devices_cannot_be_taken_for_each_other() -> None:
    first, same_path = device("a", HOOK, []), device("b", {**HOOK, "secret": "env:T"}, [])
    same_secret = device("c", {**HOOK, "webhook": "/c"}, [])
    told = http().check_line([first, same_path, same_secret])
    assert [(one.device, one.key) for one in told] == [("b", "webhook"), ("c", "secret")]


def test_what_each_link_can_do() -> None:
    polled = http().open([device("d", URL, [])], SystemClock(), read_only=False)
    told = http().open([device("d", HOOK, [])], SystemClock(), read_only=False)
    assert isinstance(polled, Pollable) and not isinstance(polled, Reporting)
    assert isinstance(told, Reporting) and not isinstance(told, Pollable)
    assert not isinstance(polled, Writable) and not isinstance(told, Writable)


def test_without_every_the_fastest_scan_is_the_period() -> None:
    points = [point("a", P, scan="5s"), point("b", P, scan="2s")]
    assert Poll.of(device("d", URL, points)).every_s == 2
    assert Poll.of(device("d", {**URL, "every": "1s"}, points)).every_s == 1


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
    if http().check(one) == []:
        http().line(one)
        http().open([one], SystemClock(), read_only=True)
