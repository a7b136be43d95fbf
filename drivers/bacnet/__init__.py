"""BACnet/IP (ASHRAE 135, annex J), on bacpypes3.

    address     which property of which object      connection    how a device is reached
    values      encoded values, flags               units         engineering units as ours
    wire        one UDP socket, requests, answers   polling       a prepared read, divided as the device needs it
    changes     subscriptions to change of value    writing       values, priorities, release
    discovery   who is there, and what it has       words         what a device refuses with, in both languages
    link, driver  the contract of `drivers.contract`

`address`, `values`, `units` and `words` do without bacpypes3. No other module is for anybody outside.
"""

from __future__ import annotations

from drivers.contract import Driver


def bacnet() -> Driver:
    """The one driver."""
    # Imported here, so that the simulator may use `address` and `values` without the client.
    from drivers.bacnet.driver import BacnetDriver

    return BacnetDriver()
