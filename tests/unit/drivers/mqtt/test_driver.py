"""What the driver complains of before anything starts, and which devices share a line."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from app.model.clock import SystemClock
from drivers.mqtt import mqtt
from drivers.mqtt.connection import KEYS
from tests.support.mqtt_devices import HOST, device, json_point, point

SET = {"topic": "pcs1/set", "path": "$.kw"}
EDGEX = {**HOST, "format": "edgex", "topic": "edgex/events/#", "device": "Meter-01"}


@pytest.mark.parametrize(
    ("connection", "key", "words"),
    [
        ({}, "host", "add `host:`"),
        ({"host": "mqtt://broker"}, "host", "the port is a key of its own"),
        ({"host": "broker:1883"}, "host", "the bare name"),
        ({**HOST, "port": 0}, "port", "1 to 65535"),
        ({**HOST, "version": "3"}, "version", "3.1.1 or 5"),
        ({**HOST, "tls": "yes"}, "tls", "write true, or {ca: FILE"),
        ({**HOST, "tls": {"cafile": "x"}}, "tls", "unknown key 'cafile'"),
        ({**HOST, "tls": {"key": "x"}}, "tls", "add `cert:`"),
        ({**HOST, "tls": {"ca": 1}}, "tls", "not a file"),
        ({**HOST, "tls": {"cert": "c", "key_password": "hush"}}, "tls", "no place for one"),
        ({**HOST, "user": "u", "password": "hush"}, "password", "env:NAME"),
        ({**HOST, "password": "env:X"}, "password", "add `user:`"),
        ({**HOST, "qos": 2}, "qos", "write 1, which loses nothing"),
        ({**HOST, "qos": True}, "qos", "write 1"),
        ({**HOST, "silence": "never"}, "silence", "not a duration"),
        ({**HOST, "client-id": "x"}, "client-id", "write 'client_id'"),
        ({**HOST, "client_id": 7}, "client_id", "in quotes"),
        ({**HOST, "base": "plant/+"}, "base", "wildcard"),
        ({**HOST, "will": "gridroom"}, "will", "has no topic"),
        ({**HOST, "presence": {"topic": "m/+"}}, "presence", "wildcard"),
        ({**HOST, "presence": {"topic": "m", "onlin": "x"}}, "presence", "write 'online'"),
        ({**HOST, "retained": "yes"}, "retained", "old live ignore"),
        ({**HOST, "format": "xml"}, "format", "json plain edgex sparkplug"),
        ({**HOST, "time": "ts"}, "time", "does not begin with $"),
        ({**HOST, "time_unit": "h"}, "time_unit", "one of: s ms us ns"),
        ({**HOST, "good": "good"}, "good", "not a list"),
        ({**HOST, "words": {"run": "x"}}, "words", "{run: 1, stop: 0}"),
        ({**HOST, "max_payload": 1}, "max_payload", "64 to"),
        ({**HOST, "topic": "x"}, "topic", "format: edgex"),
        ({**EDGEX, "topic": "edgex/#/x"}, "topic", "`#` comes last"),
        ({k: v for k, v in EDGEX.items() if k != "device"}, "device", "its name in the EdgeX gateway"),
        ({k: v for k, v in EDGEX.items() if k != "topic"}, "topic", "exports its events"),
    ],
)
def test_a_wrong_connection_is_named(connection: dict[str, Any], key: str, words: str) -> None:
    complaints = mqtt().check(device("m1", connection))
    assert {(c.device, c.point, c.key) for c in complaints} == {("m1", "", key)}
    assert any(words in f"{c.what}; {c.mend}" for c in complaints), complaints
    assert "hush" not in str(complaints)


@pytest.mark.parametrize(
    ("connection", "address", "kind", "key", "words"),
    [
        (HOST, {}, "measurement", "topic", "add `topic:`"),
        (HOST, {"topic": "plant/+/p"}, "measurement", "topic", "a point is in one place"),
        (HOST, {"topic": "plant/#"}, "measurement", "topic", "wildcard"),
        (HOST, {"topic": 5}, "measurement", "topic", "not a text"),
        (HOST, {"topic": "a\0b"}, "measurement", "topic", "without NUL"),
        (HOST, {"topic": "x" * 70_000}, "measurement", "topic", "65,535"),
        (HOST, {"topic": "~/state"}, "measurement", "topic", "add `base:`"),
        (HOST, {"topic": "t", "path": "p"}, "measurement", "path", "does not begin with $"),
        (HOST, {"topic": "t", "path": "$..p"}, "measurement", "path", "wildcards"),
        (HOST, {"topic": "t", "pth": "$"}, "measurement", "pth", "write 'path'"),
        (HOST, {"topic": "t", "format": "plain", "path": "$.a"}, "measurement", "path", "a plain value has no path"),
        (HOST, {"topic": "t", "format": "sparkplug"}, "measurement", "format", "`sparkplug:` and `metric:`"),
        (HOST, {"topic": "t", "reply": {"topic": "r"}}, "measurement", "reply", "unknown key"),
        (HOST, {"sparkplug": "g", "metric": "m"}, "measurement", "sparkplug", "write group/node/device"),
        (HOST, {"sparkplug": "g/+/d", "metric": "m"}, "measurement", "sparkplug", "names no Sparkplug device"),
        (HOST, {"sparkplug": "g/n/d"}, "measurement", "metric", "its name as in the birth"),
        (HOST, {"resource": "P"}, "measurement", "resource", "add `format: edgex`"),
        (EDGEX, {}, "measurement", "resource", "add `resource:`"),
        (EDGEX, {"resource": "P"}, "setpoint", "resource", "no commands"),
        (HOST, {"topic": "t", "with": {"a": 1}}, "command", "with", "add `path:`"),
        (HOST, {**SET, "with": "x"}, "command", "with", "not an object"),
        (HOST, {**SET, "path": "$.a[0]"}, "command", "path", "without lists"),
        (HOST, {**SET, "reply": "r"}, "setpoint", "reply", "not an object"),
        (HOST, {**SET, "reply": {"topic": "r/#"}}, "setpoint", "topic", "wildcard"),
        (HOST, {**SET, "reply": {"topic": "r", "ok": True}}, "setpoint", "reply", "ok is not a list"),
        (HOST, {**SET, "state": {"topic": "r", "qos": 2}}, "setpoint", "qos", "cannot be had"),
    ],
)
def test_a_wrong_point_is_named(
    connection: dict[str, Any], address: dict[str, Any], kind: str, key: str, words: str
) -> None:
    complaints = mqtt().check(device("m1", connection, [point("a", address, kind=kind)]))
    assert {(c.point, c.key) for c in complaints} == {("m1.a", key)}
    assert any(words in f"{c.what}; {c.mend}" for c in complaints), complaints


def test_what_devices_really_have_is_not_complained_of() -> None:
    points = [
        json_point("a", "$.a[0]['x y']", time="$.t", time_unit="ns", quality="$.q", good=[0]),
        point("b", {"topic": "~/b", "format": "plain", "words": {"run": 1}}),
        point("c", {"sparkplug": "g/n", "metric": "Node Info/CPU"}),
        point("d", {**SET, "with": {"cmd": 1}, "correlation": "$.id", "reply": {"topic": "~/r", "path": "$.ok"}}, kind="command"),
    ]  # fmt: skip
    connection = {**HOST, "base": "plant/m1", "version": 5, "tls": {"ca": "ca.pem"}, "user": "u", "password": "env:P"}
    assert mqtt().check(device("m1", connection, points)) == []


def test_devices_of_one_broker_and_client_share_a_line() -> None:
    driver = mqtt()
    line = driver.line(device("m1", {"host": "Broker.Local"}))
    assert line == driver.line(device("m2", {**HOST, "port": 1883, "silence": "1min"}))
    assert line != driver.line(device("m3", {**HOST, "tls": True})), "port 8883"
    assert line != driver.line(device("m4", {**HOST, "client_id": "other"}))


def test_devices_that_disagree_about_their_broker_do_not_start() -> None:
    driver = mqtt()
    devices = [device("m1", {**HOST, "client_id": "a"}), device("m2", {**HOST, "client_id": "a", "version": "3.1.1"})]
    (complaint,) = driver.check_line(devices)
    assert (complaint.device, complaint.key) == ("m2", "version")
    with pytest.raises(ValueError, match=r"version 3\.1\.1 at broker\.local:1883 as a, where m1 has 5"):
        driver.open(devices, SystemClock(), read_only=False)


def test_addresses_and_codecs_need_no_mqtt_library() -> None:
    """A simulator speaks them without the client, and a file is checked without it."""
    modules = "address, connection, documents, sparkplug, driver, edge_node"
    code = f"import sys; from drivers.mqtt import {modules}; sys.exit(any(n.startswith('paho') for n in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_a_form_offers_is_sound_as_it_is_given() -> None:
    driver = mqtt()
    offered = driver.keys()
    given = {key: value for key, value in offered.items() if value not in (None, "")}
    assert driver.check(device("m1", {**HOST, **given})) == []
    assert next(iter(offered)) == "host" and set(offered) <= set(KEYS)
