"""The pages of the drivers name every key that the driver takes, and what it takes when the key is not given."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from drivers.bacnet import address as bacnet_address
from drivers.bacnet import connection as bacnet_connection
from drivers.http import address as http_address
from drivers.http import connection as http_connection
from drivers.http import signature

REFERENCE: Final = Path(__file__).parents[3] / "docs" / "reference"


def keys(page: str) -> dict[str, str]:
    """Key -> what is given for it, of every table whose second column is that."""
    found: dict[str, str] = {}
    for table in re.findall(r"^\| key.*? \| given \| means \|\n\|[-|]+\|\n((?:\|.*\n)+)", page, re.MULTILINE):
        for row in table.splitlines():
            first, given, *_ = [cell.strip() for cell in row.strip("|").split("|")]
            found |= dict.fromkeys(re.findall(r"`(\w+)`", first), given)
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
