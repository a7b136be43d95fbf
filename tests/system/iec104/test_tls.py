"""TLS with a test CA: the right station is spoken to, a wrong or unknown one is not."""

from __future__ import annotations

import math
import shutil
import ssl
from pathlib import Path

import pytest

from app.model.errors import TransportError
from app.model.station import Device
from tests.support.iec104_devices import Listening, devices
from tests.support.iec104_station import ScriptedStation, encode

TLS = Path(__file__).parents[2] / "data" / "tls"
pytestmark = pytest.mark.asyncio


def server(*, wants_client: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "station.pem", TLS / "station.key")
    if wants_client:
        context.load_verify_locations(TLS / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def device(folder: Path, port: int, tls: str) -> tuple[Device, ...]:
    connection = f"host: 127.0.0.1, port: {port}, ca: 1, tls: {{{tls}}}"
    points = ["p measurement ioa: 1, type: M_ME_NC_1", "c command ioa: 7, type: C_SC_NA_1"]
    return devices(folder, {"a": connection}, {"a": points})


async def test_values_and_commands_go_through_tls_with_a_client_certificate(tmp_path: Path) -> None:
    keys = f"ca: {TLS}/ca.pem, certificate: {TLS}/client.pem, key: {TLS}/client.key, name: station.test"
    async with (
        ScriptedStation(encode(13, 20, 1, [1], [1.5]), tls=server(wants_client=True)) as station,
        Listening(device(tmp_path, station.port, keys)) as listening,
    ):
        await listening.until(lambda: listening.latest().get("p") == (1.5, 0))
        assert math.isnan(await listening.link.write(listening.devices[0].point("c"), 1))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (f"ca: {TLS}/ca.pem, name: other.test", "not valid for 'other.test'"),
        (f"ca: {TLS}/ca.pem", "not valid for '127.0.0.1'"),
        (f"ca: {TLS}/other-ca.pem, name: station.test", "unable to get local issuer certificate"),
        ("name: station.test", "unable to get local issuer certificate"),
    ],
)
async def test_another_station_than_the_right_one_is_not_spoken_to(tmp_path: Path, keys: str, words: str) -> None:
    async with ScriptedStation(tls=server()) as station:
        listening = Listening(device(tmp_path, station.port, keys))
        with pytest.raises(TransportError, match=f"TLS with 127.0.0.1:{station.port} failed: .*{words}"):
            await listening.connect()
        await listening.link.close()
        assert not station.frames


async def test_a_certificate_that_is_not_there_is_named_and_used_as_soon_as_it_is(tmp_path: Path) -> None:
    """Each attempt looks again: nobody has to start Gridroom anew."""
    copy = tmp_path / "copied-late.pem"
    async with ScriptedStation(encode(13, 20, 1, [1], [1.5]), tls=server()) as station:
        listening = Listening(device(tmp_path, station.port, f"name: station.test, ca: {copy}"))
        with pytest.raises(TransportError, match=r"copied-late\.pem cannot be used for TLS: .*No such file"):
            await listening.connect()
        shutil.copy(TLS / "ca.pem", copy)
        async with listening:
            await listening.until(lambda: listening.latest().get("p") == (1.5, 0))


async def test_the_password_of_a_key_comes_from_the_environment(tmp_path: Path) -> None:
    keys = f"ca: {TLS}/ca.pem, name: station.test, password: 'env:GRIDROOM_TEST_NOT_SET'"
    listening = Listening(device(tmp_path, 1, keys))
    with pytest.raises(TransportError, match="GRIDROOM_TEST_NOT_SET is not set"):
        await listening.connect()
    await listening.link.close()
