"""MQTT: messages of a real mosquitto into table, alarms and history, none lost at QoS 1, and what of a core that takes.

Broker, publisher and station are processes of their own; the station's CPU alone counts. Bare paho (its own thread, its
own acknowledgements, a callback that parses the payload and reads its values) takes the same load in the same run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.bench.report import Figure

SECONDS: Final = 30.0
BARE_S: Final = 8.0
STARTS_WITHIN_S: Final = 30.0
QUIET_S: Final = 2.0
"""Without a new row for so long, everything has come that will."""
_BROKER: Final = "listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\n"


@dataclass(frozen=True, slots=True)
class Load:
    """What is published."""

    name: str
    devices: int
    rate: int
    """Messages a second."""
    rows: int
    """Points a message."""
    births: int
    """Rows that the births give."""


LOADS: Final = (Load("json", 50, 10_000, 2, 0), Load("sparkplug", 10, 100, 1000, 10_000))


def run(seconds: float | None = None) -> list[Figure]:
    """All figures; `seconds` shortens the main runs."""
    return [figure for load in LOADS for figure in _figures(load, seconds or SECONDS)]


def _figures(load: Load, seconds: float) -> list[Figure]:
    with broker() as port:
        bare_figures = bare(load, port, min(seconds, BARE_S))
    with broker() as port:
        station, published = _station(load, port, seconds)
    per_message = load.rows if load.name == "sparkplug" else 1
    unit = "metrics/s" if load.name == "sparkplug" else "messages/s"
    rate = per_message * published["sent"] / published["seconds"]
    due = published["sent"] * load.rows + load.births
    return [
        Figure.at_least(f"{load.name} into table and history", rate, unit, 0.99 * load.rate * per_message),
        Figure.at_most(f"{load.name} lost on the way to the table", due - station["rows"], "rows", 0.0),
        Figure.at_most(f"{load.name} lost on the way to the disk", due - station["stored"], "rows", 0.0),
        Figure(
            f"{load.name} of one core",
            station["core_pct"],
            "%",
            limit=f"bare paho {bare_figures['core_pct']:.0f} %, parsing the same",
        ),
        Figure.at_most(f"{load.name} memory", station["rss_mb"], "MB", 500.0),
    ]


@contextmanager
def broker() -> Iterator[int]:
    """A mosquitto on a free port that drops nothing."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise OSError("mosquitto is not installed; install it (Debian: apt-get install mosquitto) and start again")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryDirectory(prefix="gridroom-bench-") as folder:
        config = Path(folder) / "mosquitto.conf"
        config.write_text(_BROKER.format(port=port), encoding="utf-8")
        quiet = subprocess.DEVNULL
        with subprocess.Popen([program, "-c", str(config)], stdout=quiet, stderr=quiet) as process:
            try:
                _await_port(port)
                yield port
            finally:
                process.terminate()


def _await_port(port: int) -> None:
    end = time.monotonic() + STARTS_WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def publisher(load: Load, port: int, seconds: float) -> list[str]:
    """The command of the publisher."""
    command = [sys.executable, "-m", "app.bench.lean_publisher", "--port", str(port), "--load", load.name]
    return [*command, "--devices", str(load.devices), "--rate", str(load.rate), "--seconds", str(seconds)]


def _publish(load: Load, port: int, seconds: float) -> dict[str, float]:
    """Run the publisher to its end."""
    done = subprocess.run(publisher(load, port, seconds), stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    if result["acknowledged"] < result["sent"]:
        raise RuntimeError(f"the broker took {result['acknowledged']:.0f} of {result['sent']:.0f} messages")
    return result


def _child(arguments: list[str], load: Load, port: int, seconds: float) -> tuple[dict[str, float], dict[str, float]]:
    """Start a receiver, publish when it is ready, and take what it measured of itself."""
    command = [sys.executable, "-m", "app.bench.mqtt", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None or process.stdin is None:
            raise OSError("the receiver was started without pipes")
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError("the receiver did not start; look at what it said above")
        published = _publish(load, port, seconds)
        process.stdin.close()
        result: dict[str, float] = json.loads(process.stdout.readline())
    return result, published


def _station(load: Load, port: int, seconds: float) -> tuple[dict[str, float], dict[str, float]]:
    with tempfile.TemporaryDirectory(prefix="gridroom-bench-") as folder:
        _write_station(Path(folder), load, port)
        result, published = _child(["station", folder], load, port, seconds)
        result["stored"] = _stored(Path(folder) / "data")
    return result, published


def _stored(data: Path) -> int:
    """Raw rows on the disk of points of the field; those of Gridroom's own begin with `_`."""
    import duckdb

    raw = data / "history" / "raw"
    sources = [f"read_parquet('{file.as_posix()}')" for file in raw.glob("*.parquet")]
    names = f"read_csv('{(data / 'history' / 'points.csv').as_posix()}')"
    with duckdb.connect(str(data / "history.duckdb"), read_only=True) as connection:
        tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'raw%'").fetchall()
        sources += [table for (table,) in tables]
        of_field = f"JOIN {names} AS known ON point = known.id WHERE NOT contains(known.name, '._')"
        counts = [
            connection.execute(f"SELECT count(*) FROM {source} {of_field}").fetchall()[0][0] for source in sources
        ]
    return int(sum(counts))


def bare(load: Load, port: int, seconds: float) -> dict[str, float]:
    """What bare paho takes of a core for a load."""
    return _child([f"bare-{load.name}", str(port)], load, port, seconds)[0]


def _write_station(folder: Path, load: Load, port: int) -> None:
    """Two points a JSON device, a thousand a Sparkplug one; every row has another value, so all are stored."""
    points: list[dict[str, Any]]
    devices = []
    for number in range(load.devices):
        connection: dict[str, Any] = {
            "driver": "mqtt", "host": "127.0.0.1", "port": port, "client_id": "bench", "timeout": "10s", "birth": "1h",
        }  # fmt: skip
        if load.name == "json":
            connection |= {"time": "$.ts"}
            topic = f"bench/d{number}"
            points = [_point("n", {"topic": topic, "path": "$.n"}), _point("p_kw", {"topic": topic, "path": "$.p_kw"})]
        else:
            place = f"bench/node{number}/dev"
            points = [_point(f"m{i}", {"sparkplug": place, "metric": f"m{i}"}) for i in range(load.rows)]
        devices.append({"id": f"d{number}", "name": "D", "kind": "meter", "connection": connection, "points": points})
    head = {"id": "bench", "name": "Bench", "timezone": "UTC", "location": {"latitude": 0, "longitude": 0}}
    station = {"version": 1, "station": {**head, "read_only": True}, "devices": devices}
    (folder / "station.yaml").write_text(json.dumps(station), encoding="utf-8")


def _point(id_: str, address: dict[str, Any]) -> dict[str, Any]:
    return {"id": id_, "name": id_, "kind": "measurement", "address": address, "precision": 3}


# ------------------------------------------------------------------------------------------------ the receivers


def _measure_station(folder: Path) -> dict[str, float]:
    """In the station's own process: ready once everything is subscribed, done once nothing comes any more."""
    import psutil

    from app.starting import running

    with running(folder, folder / "data", None, "bench") as station:
        time.sleep(3.0)  # connected and subscribed; a device of Sparkplug is there only with its birth
        me, before = psutil.Process(), station.points_total
        online = station.health().devices_online
        cpu, began = time.process_time(), time.monotonic()
        print("ready", flush=True)
        sys.stdin.read()
        took, used = time.monotonic() - began, time.process_time() - cpu
        rss_mb = me.memory_info().rss / 1e6
        last = -1
        while (now := station.points_total) != last:
            last = now
            time.sleep(QUIET_S)
        came = station.health().devices_online - online  # a row of Gridroom's own for each
        return {"rows": last - before - came, "core_pct": 100 * used / took, "rss_mb": rss_mb}


def _measure_bare(port: int, load: str) -> dict[str, float]:
    """In a process of its own: paho as its documents show it, and the parsers that everybody has."""
    import threading

    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bare", protocol=MQTTProtocolVersion.MQTTv5)
    granted = threading.Event()
    client.on_message = _read_json if load == "json" else _read_sparkplug
    client.on_connect = lambda client, *_: client.subscribe("#", 1)
    client.on_subscribe = lambda *_: granted.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    granted.wait(STARTS_WITHIN_S)
    cpu, began = time.process_time(), time.monotonic()
    print("ready", flush=True)
    sys.stdin.read()
    took, used = time.monotonic() - began, time.process_time() - cpu
    client.disconnect()
    client.loop_stop()
    return {"core_pct": 100 * used / took}


def _read_json(_client: Any, _: Any, message: Any) -> None:
    document = json.loads(message.payload)
    float(document["n"]), float(document["p_kw"]), int(document["ts"])


def _read_sparkplug(_client: Any, _: Any, message: Any) -> None:
    from drivers.mqtt.sparkplug_b_pb2 import Payload

    for metric in Payload.FromString(message.payload).metrics:
        metric.alias, metric.float_value  # noqa: B018 (that they are read is what is measured)


def main() -> None:
    """A receiver's own process: `python -m app.bench.mqtt station FOLDER` or `bare-json PORT`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("station", *(f"bare-{load.name}" for load in LOADS)))
    parser.add_argument("where")
    options = parser.parse_args()
    if options.what == "station":
        result = _measure_station(Path(options.where))
    else:
        result = _measure_bare(int(options.where), options.what.removeprefix("bare-"))
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
