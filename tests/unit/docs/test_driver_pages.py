"""The pages of the drivers name every key that the driver takes, and what it takes when the key is not given."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from app.model.config import BlocksForm
from drivers.bacnet import address as bacnet_address
from drivers.bacnet import connection as bacnet_connection
from drivers.dlt645 import address as dlt645_address
from drivers.dlt645 import connection as dlt645_connection
from drivers.http import address as http_address
from drivers.http import connection as http_connection
from drivers.http import signature
from drivers.modbus import address as modbus_address
from drivers.modbus import connection as modbus_connection
from drivers.mqtt import address as mqtt_address
from drivers.mqtt import connection as mqtt_connection
from drivers.sunspec import address as sunspec_address

REFERENCE: Final = Path(__file__).parents[3] / "docs" / "reference"
MODBUS: Final = modbus_connection.DEFAULTS
MQTT: Final = mqtt_connection.OF_THE_LINE


def keys(page: str) -> dict[str, str]:
    """Key -> what is given for it (empty where the table does not say), of every table that begins with `key`."""
    found: dict[str, str] = {}
    for head, table in re.findall(r"^\| (key.*) \| means \|\n\|[-|]+\|\n((?:\|.*\n)+)", page, re.MULTILINE):
        columns = [cell.strip() for cell in head.split("|")]
        for row in table.splitlines():
            cells = [cell.strip() for cell in row.strip("|").split("|")]
            given = cells[columns.index("given")] if "given" in columns else ""
            found |= dict.fromkeys(re.findall(r"`(\w+)`", cells[0]), given)
    return found


@pytest.mark.parametrize(
    ("name", "known", "defaults"),
    [
        (
            "http",
            {*http_address.KEYS, *http_connection.POLL_KEYS, *http_connection.HOOK_KEYS},
            {
                "timeout": http_connection.TIMEOUT,
                "max_bytes": str(http_connection.MAX_BYTES),
                "host": f"{http_connection.HOST}, {http_connection.PORT}",
                "silence": http_connection.SILENCE,
                "window": http_connection.WINDOW,
                "per_minute": str(http_connection.PER_MINUTE),
            },
        ),
        (
            "bacnet",
            {*bacnet_address.KEYS, *bacnet_connection.KEYS},
            {
                "interface": bacnet_connection.INTERFACE,
                "timeout": bacnet_connection.TIMEOUT,
                "lifetime": bacnet_connection.LIFETIME,
                "priority": str(bacnet_address.PRIORITY),
            },
        ),
        (
            "modbus",
            {key for kind in modbus_connection.Kind for key in kind.keys}
            | {*modbus_address.KEYS, *BlocksForm.model_fields},
            {key: str(MODBUS[key]) for key in MODBUS}
            | {key: str(BlocksForm.model_fields[key].default) for key in ("max_registers", "max_bits", "max_gap")},
        ),
        ("sunspec", {"base", *sunspec_address.KEYS}, {}),
        (
            "dlt645",
            {*dlt645_connection.KEYS, *dlt645_address.KEYS},
            {
                "baudrate": str(dlt645_connection.BAUDRATE),
                "parity": dlt645_connection.PARITY,
                "stopbits": str(dlt645_connection.STOPBITS),
                "timeout": dlt645_connection.TIMEOUT,
                "gap": f"{dlt645_connection.SERIAL_GAP} on a serial line, else 0s",
            },
        ),
        (
            "mqtt",
            {*mqtt_connection.KEYS, *mqtt_address.KEYS},
            {
                "port": f"{mqtt_connection.USUAL_PORT}, with `tls` {mqtt_connection.USUAL_TLS_PORT}",
                "birth": mqtt_connection.BIRTH,
                "qos": "1",
            }
            | {key: str(MQTT[key]) for key in ("version", "timeout", "keepalive", "session", "max_payload")},
        ),
    ],
)
def test_every_key_is_there_with_what_is_given_for_it(name: str, known: set[str], defaults: dict[str, str]) -> None:
    told = keys((REFERENCE / f"{name}.md").read_text(encoding="utf-8"))
    assert told.keys() == known
    assert {key: told[key] for key in defaults} == defaults


def test_the_page_of_bacnet_names_every_object_type() -> None:
    text = (REFERENCE / "bacnet.md").read_text(encoding="utf-8")
    named = re.findall(r"`([a-z-]+)`", text.partition("Object types by name:")[2].partition("\n\n")[0])
    assert named == list(bacnet_address.OBJECTS)


def test_the_page_of_http_names_the_headers_of_a_message() -> None:
    text = (REFERENCE / "http.md").read_text(encoding="utf-8")
    assert f"    {signature.TIMESTAMP}: " in text and f"    {signature.SIGNATURE}: sha256=" in text
