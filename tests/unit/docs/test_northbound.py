"""The page on what is offered has every key with its default, and the table to begin with can be begun with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from app.model.durations import parse_duration_s
from app.northbound.form import CentreForm, ListenForm, OfferedCommandForm, OfferedPointForm, TlsForm
from app.northbound.table import KEYS, read_table

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "reference" / "northbound-iec104.md").read_text(encoding="utf-8")


def rows(first: str) -> dict[str, str]:
    """Key -> what is given for it, of the table whose first cell is this."""
    table = PAGE.partition(f"| {first} |")[2].partition("\n\n")[0]
    found: dict[str, str] = {}
    for keys, given in re.findall(r"^\| (`[^|]*) \| ([^|]*)\|", table, re.MULTILINE):
        found |= dict.fromkeys(re.findall(r"`(\w+)`", keys), given.strip())
    return found


@pytest.mark.parametrize(
    ("first", "form"),
    [("key", CentreForm), ("key of `points`", OfferedPointForm), ("key of `commands`", OfferedCommandForm)],
)
def test_every_key_is_explained_and_no_other(first: str, form: type[BaseModel]) -> None:
    assert set(rows(first)) == set(form.model_fields)
    for key, given in rows(first).items():
        assert (given == "required") == form.model_fields[key].is_required()


def test_defaults_are_those_of_the_form() -> None:
    given, fields = rows("key"), CentreForm.model_fields
    assert given["k"] == f"{fields['k'].default}, {fields['w'].default}"
    assert [parse_duration_s(word) for word in given["t1"].split()] == [fields[t].default for t in ("t1", "t2", "t3")]
    for key in ("connections", "clock", "clock_sync", "time_tags"):
        assert given[key] == fields[key].default
    assert parse_duration_s(given["lost_after"]) == fields["lost_after"].default
    listen = ListenForm()
    assert given["listen"] == f"{listen.host}, {listen.port}"
    assert all(f"`{key}`" in PAGE for key in (*TlsForm.model_fields, *KEYS))


def test_the_table_to_begin_with_offers_nothing_until_it_is_filled_in(tmp_path: Path) -> None:
    file = ROOT / "station_configs" / "dispatch_table.csv"
    assert read_table(file) == ([], [])
    text = file.read_text(encoding="utf-8")
    filled = tmp_path / "filled.csv"
    filled.write_text(re.sub(r"^([^#,]+,\d+,\w+),,", r"\1,m.p,", text, flags=re.MULTILINE), encoding="utf-8")
    lines, faults = read_table(filled)
    assert not faults and len(lines) == 101
    for line in lines:
        (OfferedCommandForm if line.is_command else OfferedPointForm).model_validate(line.keys)
    assert len({line.keys["ioa"] for line in lines}) == len(lines)
