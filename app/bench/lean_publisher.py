"""An MQTT publisher so lean that it does not stand in the way of what is measured: prepared frames on a bare socket.

    python -m app.bench.lean_publisher --port 1883 --load json --devices 50 --rate 10000 --seconds 30

Publishes at QoS 1 over MQTT 3.1.1, evenly over the seconds, and prints one line of JSON: messages sent, messages that
the broker acknowledged, and seconds that it took. `json` sends `{"n": count, "p_kw": ..., "ts": ms}` to `bench/dN`,
`sparkplug` births `bench/nodeN/dev` and then data of `--metrics` metrics by alias.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import struct
import time
from collections.abc import Callable
from typing import Final

WINDOW: Final = 4000
"""Messages on their way to the broker that it has not acknowledged."""
_VARIANTS: Final = 8
_AT_ONCE: Final = 200


def length(number: int) -> bytes:
    """A variable byte integer (MQTT 2.2.3); protobuf writes its own alike."""
    out = bytearray()
    while True:
        number, digit = divmod(number, 128)
        out.append(digit | (128 if number else 0))
        if not number:
            return bytes(out)


def text(words: str) -> bytes:
    data = words.encode()
    return struct.pack(">H", len(data)) + data


def publish(topic: bytes, mid: int, payload: bytes) -> bytes:
    """A PUBLISH of QoS 1. `topic` with its length before it."""
    body = topic + struct.pack(">H", mid) + payload
    return b"\x32" + length(len(body)) + body


class Connection:
    """A bare connection that counts acknowledgements."""

    def __init__(self, port: int, client_id: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        body = text("MQTT") + b"\x04\x02" + struct.pack(">H", 0) + text(client_id)
        self._socket.sendall(b"\x10" + length(len(body)) + body)
        if self._socket.recv(4)[3:4] != b"\0":
            raise OSError("the broker refused the publisher")
        self.sent = 0
        self._acknowledged_bytes = 0

    @property
    def acknowledged(self) -> int:
        return self._acknowledged_bytes // 4

    def send(self, frames: bytes, count: int) -> None:
        self._socket.sendall(frames)
        self.sent += count

    def listen(self, wait_s: float) -> None:
        """Take acknowledgements, waiting for the first at most so long."""
        if select.select([self._socket], [], [], wait_s)[0]:
            self._acknowledged_bytes += len(self._socket.recv(1 << 16))

    def close(self) -> None:
        self._socket.sendall(b"\xe0\0")
        self._socket.close()


def json_load(devices: int) -> Callable[[int], tuple[bytes, bytes]]:
    topics = [text(f"bench/d{n}") for n in range(devices)]

    def message(count: int) -> tuple[bytes, bytes]:
        now_ms = time.time_ns() // 1_000_000
        payload = b'{"n": %d, "p_kw": %d.25, "ts": %d, "state": "run"}' % (count // devices, count % 997, now_ms)
        return topics[count % devices], payload

    return message


def sparkplug_load(
    devices: int, metrics: int
) -> tuple[list[tuple[bytes, bytes]], Callable[[int], tuple[bytes, bytes]]]:
    """The births, and what makes the data messages: metrics prepared in variants, time and sequence put behind."""
    from drivers.mqtt.sparkplug_b_pb2 import Payload

    def prepared(variant: int) -> bytes:
        payload = Payload()
        for alias in range(metrics):
            payload.metrics.add(alias=alias, float_value=alias + variant / _VARIANTS)
        return payload.SerializeToString()

    now_ms = time.time_ns() // 1_000_000
    births = []
    for number in range(devices):
        node, device = Payload(timestamp=now_ms, seq=0), Payload(timestamp=now_ms, seq=1)
        node.metrics.add(name="bdSeq", datatype=8, long_value=0)
        for alias in range(metrics):
            device.metrics.add(name=f"m{alias}", alias=alias, datatype=9, float_value=-1.0)
        births.append((text(f"spBv1.0/bench/NBIRTH/node{number}"), node.SerializeToString()))
        births.append((text(f"spBv1.0/bench/DBIRTH/node{number}/dev"), device.SerializeToString()))
    variants = [prepared(variant) for variant in range(_VARIANTS)]
    topics = [text(f"spBv1.0/bench/DDATA/node{number}/dev") for number in range(devices)]

    def message(count: int) -> tuple[bytes, bytes]:
        turn = count // devices
        head = b"\x08" + length(time.time_ns() // 1_000_000) + b"\x18" + length((turn + 2) % 256)
        return topics[count % devices], variants[turn % _VARIANTS] + head

    return births, message


def run(options: argparse.Namespace) -> dict[str, float]:
    connection = Connection(options.port, f"lean-{options.load}")
    births: list[tuple[bytes, bytes]] = []
    if options.load == "json":
        message = json_load(options.devices)
    else:
        births, message = sparkplug_load(options.devices, options.metrics)
    mid = 0
    for topic, payload in births:
        mid += 1
        connection.send(publish(topic, mid, payload), 1)
    while connection.acknowledged < len(births):
        connection.listen(1.0)
    total = round(options.rate * options.seconds)
    began, count = time.perf_counter(), 0
    while count < total:
        due = min(int((time.perf_counter() - began) * options.rate) + 1, total) - count
        due = min(due, _AT_ONCE, WINDOW - (connection.sent - connection.acknowledged))
        frames = bytearray()
        for number in range(count, count + max(0, due)):
            mid = mid % 65535 + 1
            topic, payload = message(number)
            frames += publish(topic, mid, payload)
        if due > 0:
            connection.send(bytes(frames), due)
            count += due
        connection.listen(0.002 if due < _AT_ONCE else 0.0)
    took = time.perf_counter() - began
    end = time.perf_counter() + 30
    while connection.acknowledged < connection.sent and time.perf_counter() < end:
        connection.listen(0.1)
    connection.close()
    data_acknowledged = connection.acknowledged - len(births)
    return {"sent": total, "acknowledged": data_acknowledged, "births": len(births), "seconds": took}


def main() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m app.bench.lean_publisher")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--load", choices=("json", "sparkplug"), required=True)
    parser.add_argument("--devices", type=int, default=50)
    parser.add_argument("--metrics", type=int, default=1000, help="of each Sparkplug device")
    parser.add_argument("--rate", type=float, required=True, help="messages a second")
    parser.add_argument("--seconds", type=float, required=True)
    print(json.dumps(run(parser.parse_args())), flush=True)


if __name__ == "__main__":
    main()
