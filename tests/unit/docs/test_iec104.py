"""The page on IEC 60870-5-104 has every key and every type, with the defaults that the driver has."""

from __future__ import annotations

import re
from pathlib import Path

from drivers.iec104 import address, connection
from drivers.iec104.typeids import NUMBERS

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "iec104.md").read_text(encoding="utf-8")


def first_cells(heading: str, until: str) -> set[str]:
    """The words between backticks in the first two cells of the rows of the tables between two lines."""
    part = PAGE.partition(heading)[2].partition(until)[0]
    rows = re.findall(r"^\| (`[^|]*\|[^|]*)\|", part, re.MULTILINE)
    return {word for row in rows for word in re.findall(r"`([^`]*)`", row)}


def test_every_key_is_explained() -> None:
    assert set(connection.KEYS) <= first_cells("## connection", "`tls: true` trusts")
    assert set(connection.TLS_KEYS) <= first_cells("| key of `tls`", "## address")
    assert set(address.KEYS) <= first_cells("## address", "| monitored")


def test_every_type_is_explained() -> None:
    assert first_cells("| monitored", "The value is") == set(NUMBERS)


def test_defaults_are_those_of_the_driver() -> None:
    for key, default in connection._DURATIONS.items():
        if key not in connection._TIMES:
            assert re.search(rf"^\| `{key}` \| {default} \|", PAGE, re.MULTILINE), key
    assert f"| {' '.join(connection._TIMES.values())} |" in PAGE
    assert f"| {connection.K}, {connection.W} |" in PAGE and f"| `port` | {connection.PORT} |" in PAGE
