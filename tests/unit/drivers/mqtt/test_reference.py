"""The reference names every key of a connection and an address, with what is given where it is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drivers.mqtt import address, connection
from drivers.mqtt.moments import UNITS

PAGE = (Path(__file__).parents[4] / "docs" / "reference" / "mqtt.md").read_text(encoding="utf-8")
ROWS = {
    name.strip(): [cell.strip() for cell in line.strip("|").split("|")][1:]
    for line in reversed(PAGE.splitlines())  # of keys that stand twice, those of the connection
    if line.startswith("| `")
    for name in re.findall(r"`(\w+)`", line.split("|")[1])
}


@pytest.mark.parametrize("key", connection.KEYS)
def test_every_key_of_a_connection_is_explained(key: str) -> None:
    assert key in ROWS and len(ROWS[key]) == 2


@pytest.mark.parametrize(
    "key", sorted({*address._OF_TOPIC, *address._OF_WRITTEN, *address._OF_SPARKPLUG, *address._OF_RESOURCE})
)
def test_every_key_of_an_address_is_explained(key: str) -> None:
    assert key in ROWS


def test_what_is_given_stands_there() -> None:
    given = {key: str(value).lower() for key, value in connection.OF_THE_LINE.items() if value is not None}
    assert {key: ROWS[key][0] for key in given} == given
    assert ROWS["birth"][0] == connection.BIRTH and ROWS["qos"][0] == "1"
    assert ROWS["good"][0] == "[" + ", ".join(str(word).lower() for word in address.GOOD) + "]"
    assert all(f"`{word}`" in PAGE for word in (*address.Format, *address.Retained, *UNITS))
