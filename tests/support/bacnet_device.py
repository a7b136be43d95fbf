"""bacpypes3's own device, in a process of its own: `python -m tests.support.bacnet_device '{"port": 0, ...}'`.

It prints the port that it has, then obeys one line of JSON each on its standard input:

    {"set": ["analog-input:1", "presentValue", 5.0]}     {"drop": true}    notifications are lost from now on
    {"mute": true}   nothing is answered from now on     {"i_am": [ip, port]}   say that we are there
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass
class BacnetDevice:
    """The process, as a test has it."""

    process: asyncio.subprocess.Process
    port: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def do(self, **order: Any) -> dict[str, Any]:
        """Give an order, and wait until it is done; returns what it says."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        await self.process.stdin.drain()
        answer = json.loads(await asyncio.wait_for(self.process.stdout.readline(), 20))
        assert isinstance(answer, dict)
        return answer

    async def stop(self) -> None:
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        await self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        # A killed process leaves its output's pipe open until it is collected, which warns; asyncio has no public way.
        transport = self.process._transport  # type: ignore[attr-defined]
        transport.close()


async def start(**options: Any) -> BacnetDevice:
    """A device of instance 5. Options: `port`; `without`, names of services; `objects`, how many values more; `most`,
    how many objects it reads at once, and with what `reason` it aborts otherwise; `strict`, whether an unknown object
    spoils the rest; `network` and `mac` of a device behind a router."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.bacnet_device", json.dumps(options),
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    first = await asyncio.wait_for(process.stdout.readline(), 60)
    return BacnetDevice(process, json.loads(first)["port"])


@contextlib.asynccontextmanager
async def running(**options: Any) -> AsyncIterator[BacnetDevice]:
    device = await start(**options)
    try:
        yield device
    finally:
        await device.stop()


# ------------------------------------------------------------------------------------------- the process itself


def objects(count: int) -> list[Any]:
    """What the device has, beside itself: inputs, outputs, values of several kinds, and `count` analog values more."""
    from bacpypes3.local.analog import AnalogInputObject, AnalogOutputObject, AnalogValueObject
    from bacpypes3.local.binary import BinaryInputObject, BinaryOutputObject
    from bacpypes3.local.multistate import MultiStateValueObject
    from bacpypes3.local.object import Object as LocalObject
    from bacpypes3.object import AccumulatorObject, CharacterStringValueObject, LargeAnalogValueObject

    class Text(LocalObject, CharacterStringValueObject):
        pass

    class Large(LocalObject, LargeAnalogValueObject):
        pass

    class Pulses(LocalObject, AccumulatorObject):
        pass

    common = {"statusFlags": [0, 0, 0, 0], "eventState": "normal", "outOfService": False}
    analog = {**common, "units": "kilowatts", "covIncrement": 0.5}
    return [
        AnalogInputObject(
            objectIdentifier=("analog-input", 1), objectName="Total power", presentValue=12.5,
            reliability="no-fault-detected", **analog,
        ),
        AnalogInputObject(
            objectIdentifier=("analog-input", 2), objectName="Zone Temp. (°C)", presentValue=21.0, reliability="no-fault-detected",
            **{**analog, "units": "degrees-celsius"},
        ),
        AnalogOutputObject(
            objectIdentifier=("analog-output", 1), objectName="Limit", presentValue=1.0, relinquishDefault=1.0, **analog
        ),
        BinaryInputObject(objectIdentifier=("binary-input", 1), objectName="Door", presentValue="active", polarity="normal", **common),
        BinaryOutputObject(
            objectIdentifier=("binary-output", 1), objectName="Pump", presentValue="inactive", polarity="normal",
            relinquishDefault="inactive", **common,
        ),
        MultiStateValueObject(objectIdentifier=("multi-state-value", 1), objectName="Mode", presentValue=2, numberOfStates=3, **common),
        Large(objectIdentifier=("large-analog-value", 1), objectName="Energy", presentValue=1e12, units="kilowatt-hours", **common),
        Pulses(objectIdentifier=("accumulator", 1), objectName="Pulses", presentValue=7, units="no-units", scale=None, maxPresValue=9, **common),
        Text(objectIdentifier=("characterstring-value", 1), objectName="Words", presentValue="一二", **common),
        *(
            AnalogValueObject(objectIdentifier=("analog-value", n), objectName=f"Value {n}", presentValue=float(n), **analog)
            for n in range(1, 1 + count)
        ),
    ]  # fmt: skip


def say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def serve(options: dict[str, Any]) -> None:
    from bacpypes3.apdu import AbortPDU, Error, ReadPropertyMultipleRequest
    from bacpypes3.app import Application
    from bacpypes3.local.device import DeviceObject
    from bacpypes3.local.networkport import NetworkPortObject
    from bacpypes3.pdu import IPv4Address
    from bacpypes3.primitivedata import ObjectIdentifier
    from bacpypes3.vlan import VirtualNetwork

    heard: dict[str, int] = {}
    state = {"drop": False, "mute": False}

    class Device(Application):
        async def indication(self, apdu: Any) -> None:
            name = type(apdu).__name__.removesuffix("Request")
            heard[name] = heard.get(name, 0) + 1
            if state["mute"]:
                return
            if isinstance(apdu, ReadPropertyMultipleRequest):
                wanted = [spec.objectIdentifier for spec in apdu.listOfReadAccessSpecs]
                if len(wanted) > options.get("most", 1000):
                    reason = options.get("reason", "segmentation-not-supported")
                    await self.response(AbortPDU(True, reason=reason, context=apdu))
                    return
                if options.get("strict") and not all(self.get_object_id(one) for one in wanted):
                    error = Error(
                        service_choice=apdu.apduService, errorClass="object", errorCode="unknownObject", context=apdu
                    )
                    await self.response(error)
                    return
            await super().indication(apdu)

        def cov_confirmation(self, cov: Any, future: Any) -> None:
            what = "refused" if future.exception() else "sent" if future.result() is None else "acknowledged"
            heard[what] = heard.get(what, 0) + 1

        def cov_notification(self, cov: Any, apdu: Any) -> None:
            if not state["drop"]:
                super().cov_notification(cov, apdu)

    for service in options.get("without", ()):
        setattr(Device, f"do_{service}Request", None)
    own = DeviceObject(objectIdentifier=("device", 5), objectName="Peer")
    port = NetworkPortObject(
        IPv4Address(f"127.0.0.1:{options.get('port', 0)}"), objectIdentifier=("network-port", 1), objectName="Port"
    )
    if "network" in options:  # the device is behind a router, which is in this process as well

        def station(number: int, mac: int) -> Any:
            return NetworkPortObject(
                objectIdentifier=("network-port", number), objectName=f"Port {number}", networkType="virtual",
                protocolLevel="bacnet-application", networkNumber=options["network"], networkNumberQuality="configured",
                macAddress=bytes([mac]), networkInterfaceName="vlan",
            )  # fmt: skip

        VirtualNetwork("vlan")
        port.networkNumber, port.networkNumberQuality = 100, "configured"
        router = Application.from_object_list(
            [DeviceObject(objectIdentifier=("device", 99), objectName="Router"), port, station(2, 1)]
        )
        app = Device.from_object_list([own, station(1, options["mac"]), *objects(options.get("objects", 0))])
        layer = next(iter(router.link_layers.values()))
    else:
        app = Device.from_object_list([own, port, *objects(options.get("objects", 0))])
        (layer,) = app.link_layers.values()
    await asyncio.gather(*layer.server._transport_tasks)
    bound = layer.server.local_transport.get_extra_info("sockname")
    say({"port": bound[1]})

    orders: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def listen() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(orders.put_nowait, line)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        order = json.loads(await orders.get())
        if "set" in order:
            name, attribute, value = order["set"]
            setattr(app.get_object_id(ObjectIdentifier(name)), attribute, value)
        elif "i_am" in order:
            app.i_am(IPv4Address(tuple(order["i_am"])))
        else:
            state.update({key: bool(order[key]) for key in state if key in order})
        await asyncio.sleep(0.05)
        subscriptions = sum(len(one.cov_subscriptions) for one in app._cov_detections.values())
        say({"heard": heard, "subscriptions": subscriptions})


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1])))
