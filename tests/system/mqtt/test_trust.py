"""Who we are and who the broker is: TLS, certificates, passwords; each mistake named with its mend."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.model.errors import TransportError
from tests.support.mqtt_broker import program
from tests.support.mqtt_devices import device, json_point, point
from tests.support.mqtt_peer import Peer
from tests.system.mqtt.conftest import Lines, StartBroker, until
from tests.system.mqtt.test_reading import at

pytestmark = [pytest.mark.asyncio, pytest.mark.mosquitto]

Connect = Callable[..., Peer]
TLS = Path(__file__).parents[2] / "data" / "mqtt_tls"


def file(name: str) -> str:
    return (TLS / name).as_posix()


def serving(name: str) -> list[str]:
    return [f"cafile {file('ca.crt')}", f"certfile {file(name + '.crt')}", f"keyfile {file(name + '.key')}"]


CLIENT = {
    "ca": file("ca.crt"),
    "cert": file("client.crt"),
    "key": file("client_locked.key"),
    "key_password": "env:LOCK",
}


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_values_come_over_tls_with_a_client_s_certificate(
    start_broker: StartBroker, lines: Lines, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setenv("LOCK", "test")
    broker = start_broker(*serving("broker"), "require_certificate true", "use_identity_as_username true")
    points = [point("p", {"topic": "gridroom/status", "format": "plain", "words": {"here": 1}, "retained": "live"})]
    connection = at(broker.port, version=version, tls=CLIENT, will={"topic": "gridroom/status", "online": "here"})
    m1 = device("m1", connection, points)
    watched = await lines.watch(lines.open(m1), m1)
    await until(lambda: watched.values() == [1], "our own word, kept by the broker")


@pytest.mark.parametrize(
    ("server", "tls", "words"),
    [
        ("broker", True, "its certificate is not trusted: .*; give its authority as `tls: {ca: FILE}`"),
        ("elsewhere", {"ca": file("ca.crt")}, "its certificate is not trusted: .*(mismatch|not valid for)"),
        ("broker", {"ca": file("nowhere.crt")}, "the authorities in .*nowhere.crt cannot be read"),
        ("broker", {**CLIENT, "key": file("broker.key")}, "the certificate .*client.crt .* cannot be used"),
        ("broker", CLIENT, "environment variable LOCK is not set; set it before Gridroom starts"),
        ("broker", False, "the broker ended the connection without an answer; does it want TLS"),
        ("", {"ca": file("ca.crt")}, "no TLS: .*does the broker speak TLS on this port|no connection"),
    ],
)
async def test_what_is_not_trusted_is_named(
    start_broker: StartBroker, lines: Lines, monkeypatch: pytest.MonkeyPatch, server: str, tls: Any, words: str
) -> None:
    monkeypatch.delenv("LOCK", raising=False)
    if isinstance(tls, dict) and "nowhere" not in words and "broker.key" in str(tls.get("key")):
        monkeypatch.setenv("LOCK", "test")
    broker = start_broker(*(serving(server) if server else ()))
    link = lines.open(device("m1", at(broker.port, tls=tls, timeout="2s"), [json_point("p")]))
    with pytest.raises(TransportError, match=f"127.0.0.1:{broker.port}: ({words})"):
        await link.connect()


async def test_a_broker_that_wants_a_certificate_says_so(start_broker: StartBroker, lines: Lines) -> None:
    broker = start_broker(*serving("broker"), "require_certificate true")
    m1 = device("m1", at(broker.port, tls={"ca": file("ca.crt")}, timeout="2s"), [json_point("p")])
    with pytest.raises(TransportError, match=f"127.0.0.1:{broker.port}: .*certificate"):
        await lines.open(m1).connect()


def write_passwords(path: Path) -> None:
    tool = program("mosquitto_passwd")
    assert tool is not None
    subprocess.run([tool, "-b", "-c", str(path), "gridroom", "right"], check=True, capture_output=True)


@pytest.mark.parametrize(("secret", "version"), [("right", "5"), ("wrong", "5"), ("wrong", "3.1.1")])
async def test_a_password_comes_from_the_environment(
    start_broker: StartBroker, lines: Lines, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secret: str, version: str
) -> None:
    write_passwords(tmp_path / "passwords")
    (tmp_path / "passwords").chmod(0o644)
    broker = start_broker("allow_anonymous false", f"password_file {(tmp_path / 'passwords').as_posix()}")
    monkeypatch.setenv("BROKER1", secret)
    connection = at(broker.port, version=version, user="gridroom", password="env:BROKER1")
    m1 = device("m1", connection, [json_point("p")])
    link = lines.open(m1)
    if secret == "right":
        await lines.watch(link, m1)
        return
    with pytest.raises(TransportError, match=r"refused the login \(.*\); correct `user` and `password`") as caught:
        await link.connect()
    assert "MQTT 服务器拒绝登录" in caught.value.text.zh
    assert secret not in f"{caught.value} {caught.value.text}"
