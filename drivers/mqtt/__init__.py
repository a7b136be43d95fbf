"""MQTT 3.1.1 and 5: JSON by path, plain values, Sparkplug B, and the events of EdgeX gateways.

    address, connection   what a station file says        topics      names and filters
    documents, moments    values and times of strangers   rows        columns of a line's devices
    readers, edgex        payloads into rows              troubles    what could not be taken
    sparkplug, edge_node  births, deaths, sequence        routing     from topics to devices
    rosters               who reads and writes what       inbox       what came and waits, bounded
    client, credentials   a client of paho                waiting     for a socket, interruptibly
    session               paho, on a thread of its own    commands    requests and their answers
    link, driver          the contract of `drivers.contract`
    discovery             devices that are not in the file yet

`address`, `connection`, `documents` and `sparkplug` need no MQTT library. No other module is for anybody outside.
"""

from __future__ import annotations

from drivers.contract import Driver


def mqtt() -> Driver:
    """MQTT."""
    from drivers.mqtt.driver import MqttDriver

    return MqttDriver()
