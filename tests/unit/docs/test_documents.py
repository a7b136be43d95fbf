"""The documents are true: their files load, their commands parse, their links lead somewhere, their tables are complete."""

from __future__ import annotations

import argparse
import ast
import contextlib
import re
import shlex
import shutil
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from app import cli
from app.configuration import configure
from app.engine import expression
from app.model.cleaning import (
    BitsForm,
    ClampForm,
    CounterForm,
    MapForm,
    MeanForm,
    MedianForm,
    RateForm,
    ScaleForm,
    SpikeForm,
    StuckForm,
    SubstituteForm,
)
from app.model.config import (
    AccessForm,
    AlarmsForm,
    AuditForm,
    BlocksForm,
    ConfirmForm,
    ControlForm,
    DerateForm,
    DeviceForm,
    DeviceKind,
    HistoryForm,
    LimitForm,
    LimitsForm,
    LocationForm,
    NodeForm,
    PointForm,
    PointKind,
    Priority,
    RatingsForm,
    RecordsForm,
    RetentionForm,
    StateAlarmForm,
    StationForm,
    StationHeadForm,
    TemplateForm,
    TripForm,
)
from app.model.errors import ConfigFaults
from app.model.loading import load_station
from app.model.own_points import own_points
from app.model.quality import LETTERS
from app.model.roles import ROLES
from app.model.units import UNITS
from app.model.yaml_source import YamlSource
from app.northbound.form import NorthboundForm
from drivers import registry

ROOT: Final = Path(__file__).parents[3]
REFERENCE: Final = ROOT / "docs" / "reference"
STATION_CONFIG: Final = REFERENCE / "station-config.md"
CLEANING: Final = REFERENCE / "cleaning.md"
DOCUMENTS: Final = sorted(
    [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "station_configs/README.md")]
    + list((ROOT / "docs").rglob("*.md"))
)
NAMES: Final = [file.relative_to(ROOT).as_posix() for file in DOCUMENTS]
HEAD: Final = """version: 1
station: {id: s, name: S, timezone: UTC, location: {latitude: 0, longitude: 0}}
"""

every_document = pytest.mark.parametrize("file", DOCUMENTS, ids=NAMES)


def test_the_front_door_is_there() -> None:
    assert (ROOT / "README.md").is_file() and (ROOT / "docs" / "README.md").is_file()


# --------------------------------------------------------------------------------------------------------- YAML


FENCED: Final = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def yaml_blocks() -> Iterator[tuple[str, str]]:
    """(document and line, text) of every block of YAML: fenced as such, or indented code that begins like one."""
    for file, name in zip(DOCUMENTS, NAMES, strict=True):
        if not file.is_file():
            continue
        text = file.read_text(encoding="utf-8")
        for match in re.finditer(FENCED, text):
            if match[2] not in ("yaml", "yml"):
                continue
            lines = [line.removeprefix(match[1]) for line in match[3].splitlines()]
            yield f"{name}:{text[: match.start()].count(chr(10)) + 1}", "\n".join(lines) + "\n"
        for match in re.finditer(r"(?:^ {4,}.*\n|^\n(?= {4}))+", re.sub(FENCED, "", text), re.MULTILINE):
            block = textwrap.dedent(match[0].strip("\n")) + "\n"
            if re.match(r"- \{?id: |(version|station|devices|points|alarms|topology): *\S*\n|\w+: \{", block):
                yield f"{name}:{block.splitlines()[0]}", block


BLOCKS: Final = list(yaml_blocks())


def read(folder: Path, text: str) -> Any:
    file = folder / "block.yaml"
    file.write_text(text, encoding="utf-8")
    source = YamlSource(file)
    assert source.faults == []
    return source.data


def station(folder: Path, text: str) -> None:
    (folder / "station.yaml").write_text(text, encoding="utf-8")
    configure(folder)


def part_of_a_station(folder: Path, data: dict[str, Any]) -> None:
    """Load it with what it leaves out; of a computed point only the form, since what it reads is not there."""
    here = {"name": "D", "kind": "other", "connection": {"driver": "modbus-tcp", "host": "h"}}
    data["devices"] = [{"id": f"d{i}", **here, **device} for i, device in enumerate(data.get("devices", []))]
    for device in data["devices"]:
        points = [point if "template" in device else whole(point) for point in device.get("points", [])]
        for point in points:
            if "value" in point:
                PointForm.model_validate(point)
        device["points"] = [point for point in points if "value" not in point]
    station(folder, yaml.safe_dump({**read(folder, HEAD), **data}))


def whole(point: dict[str, Any]) -> dict[str, Any]:
    """A point with what an excerpt leaves out."""
    given = {"id": "p", "name": "P", "kind": "measurement"}
    return {**given, **({} if "value" in point else {"address": {"table": "coil", "register": 0}}), **point}


def judge_block(folder: Path, text: str) -> str:
    """Load what a block shows, as the part of a station that it is; returns which part. Raises where it is wrong."""
    data = read(folder, text)
    if isinstance(data, dict) and "vendor" in data:
        TemplateForm.model_validate(data)
        (folder / "templates").mkdir()
        (folder / "templates" / "block.yaml").write_text(text, encoding="utf-8")
        device = "devices: [{id: d, name: D, kind: other, template: block, connection: {driver: modbus-tcp, host: h}}]"
        station(folder, HEAD + device)
        return "template"
    if isinstance(data, dict) and "iec104" in data:
        NorthboundForm.model_validate(data)
        return "what is offered"
    if isinstance(data, dict) and "strategies" in data:
        shutil.copy(ROOT / "station_configs" / "demo" / "station.yaml", folder / "station.yaml")
        (folder / "strategies.yaml").write_text(text, encoding="utf-8")
        configure(folder)
        return "strategies of the demo park"
    if isinstance(data, dict) and "about" in data:
        shutil.copy(ROOT / "station_configs" / "demo" / "station.yaml", folder / "station.yaml")
        (folder / "strategies").mkdir()
        (folder / "strategies" / "block@1.yaml").write_text(text, encoding="utf-8")
        (folder / "strategies.yaml").write_text(
            "strategies: [{id: a, template: block@1, devices: [pcs1]}]", encoding="utf-8"
        )
        configure(folder)
        return "template of strategies"
    if isinstance(data, dict) and "version" in data:
        station(folder, text)
        return "station"
    if isinstance(data, dict) and isinstance(data.get("devices"), dict):
        ids = "".join(
            f"  - {{id: {id_}, name: D, kind: other, connection: {{driver: modbus-tcp, host: h}}}}\n"
            for id_ in data["devices"]
        )
        (folder / "station.yaml").write_text(f"{HEAD}devices:\n{ids}", encoding="utf-8")
        configure(folder, folder / "block.yaml")
        return "overlay"
    if isinstance(data, dict) and data.keys() <= keys_of(StationForm):
        part_of_a_station(folder, data)
        return "part of a station"
    if isinstance(data, dict) and data.keys() <= keys_of(PointForm):
        part_of_a_station(folder, {"devices": [{"points": [data]}]})
        return "part of a point"
    if isinstance(data, dict) and data.keys() <= keys_of(DeviceForm):
        part_of_a_station(folder, {"devices": [data]})
        return "part of a device"
    if isinstance(data, list) and all(isinstance(one, dict) and one.keys() <= keys_of(PointForm) for one in data):
        part_of_a_station(folder, {"devices": [{"points": data}]})
        return "points"
    raise AssertionError(
        "this block is no part of a station that the test knows; fence it otherwise, or teach the test"
    )


@pytest.mark.parametrize(("where", "text"), BLOCKS, ids=[where for where, _ in BLOCKS])
def test_every_yaml_block_loads(tmp_path: Path, where: str, text: str) -> None:
    assert judge_block(tmp_path, text)


def test_the_blocks_of_the_documents_are_seen(tmp_path: Path) -> None:
    """That the test above judges what it should: the kinds of blocks that the reference of the station file shows."""
    kinds = []
    for i, (where, text) in enumerate(BLOCKS):
        if where.startswith("docs/reference/station-config.md"):
            (tmp_path / str(i)).mkdir()
            kinds.append(judge_block(tmp_path / str(i), text))
    assert kinds == ["station", "part of a point", "template", "overlay"]


def test_a_wrong_block_is_seen(tmp_path: Path) -> None:
    for text in ("alarms: {h: 5, l: 6}\n", "address: {table: input}\n", "connection: {driver: modbus-tcp, hots: h}\n"):
        with pytest.raises(ConfigFaults):
            judge_block(tmp_path, text)


# -------------------------------------------------------------------------------------------------------- links


@every_document
def test_every_relative_link_leads_to_a_file(file: Path) -> None:
    assert file.is_file(), f"{file.name} is missing"
    text = without_code(file.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, heading = target.partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        there = (file.parent / path).resolve() if path else file
        assert there.exists(), f"{file.name} links to {target}, which is not there"
        if heading:
            assert heading in headings(there), f"{file.name} links to {target}, and {there.name} has no such heading"


def test_the_index_names_every_document() -> None:
    index = ROOT / "docs" / "README.md"
    links = re.findall(r"\]\(([^)#\s]+)\)", index.read_text(encoding="utf-8"))
    listed = {(index.parent / link).resolve() for link in links}
    there = set((ROOT / "docs").rglob("*.md")) - {index}
    assert sorted(file.relative_to(ROOT).as_posix() for file in there - listed) == []


def headings(file: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    text = without_code(file.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(FENCED, "", text))


# ------------------------------------------------------------------------------------------------ command lines

RUN_PY: Final = ("setup", "test")
"""Verbs of run.py itself."""


def command_lines() -> Iterator[tuple[str, str]]:
    """(document and line, command) of every line of code that runs Gridroom, whole lines and such between backticks."""
    for file, name in zip(DOCUMENTS, NAMES, strict=True):
        if not file.is_file():
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            commands = re.findall(r"`((?:python3 run\.py|run\.py|gridroom)(?: [^`]*)?)`", line)
            indented = re.match(r" {4,}\$? *((?:python3 run\.py|(?:\.venv/bin/)?gridroom)\b.*)$", line)
            for command in [*commands, *([indented[1]] if indented else [])]:
                yield f"{name}:{number}", command


COMMANDS: Final = list(command_lines())


def words_of(command: str) -> list[str]:
    """The arguments of a command as a person would type it: of a usage line, brackets and placeholders filled in."""
    command = re.split(r"\s[#<]", command)[0].strip().rstrip(".,;:")
    words = [word.replace("[", "").replace("]", "") for word in shlex.split(command)]
    words = words[2:] if words[0] == "python3" else words[1:]
    return [re.sub(r"^N$", "1", word) for word in words if word != "..."]


def variants(words: list[str]) -> Iterator[list[str]]:
    """Of `raw|1s|5s` in a usage line each alternative once, the first of the others."""
    first = [word.partition("|")[0] for word in words]
    yield first
    for i, word in enumerate(words):
        for other in word.split("|")[1:]:
            yield [*first[:i], other, *first[i + 1 :]]


@pytest.mark.parametrize(("where", "command"), COMMANDS, ids=[f"{where} {text}" for where, text in COMMANDS])
def test_every_command_line_parses(where: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = words_of(command)
    if words and words[0] in (*RUN_PY, "VERB", "-h", "--help", "--version"):
        return
    if not words or words[0] not in cli._VERBS:
        words.insert(0, "console")
    if len(words) == 1 and words[0] != "console":
        return  # a verb that is only named
    for one in variants(words):
        try:
            options = cli._parser().parse_args(one)
        except SystemExit as ended:
            pytest.fail(f"{where}: {one} ends with {ended.code}: {capsys.readouterr().err}")
        assert callable(options.run)


def test_the_commands_of_the_documents_are_seen() -> None:
    verbs = {next(iter(words_of(command)), "console") for _, command in COMMANDS}
    assert verbs >= {*cli._VERBS, *RUN_PY}


def every_action(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Of a verb, and of the verbs below it."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from every_action(inner)


def test_every_verb_and_option_stands_in_the_reference() -> None:
    text = (REFERENCE / "command-line.md").read_text(encoding="utf-8")
    (verbs,) = [action for action in cli._parser()._actions if isinstance(action, argparse._SubParsersAction)]
    assert set(verbs.choices) == set(cli._VERBS)
    for name, parser in verbs.choices.items():
        assert re.search(rf"^- \*\*{name}\*\*", text, re.MULTILINE), f"{name} is not explained"
        usage = "\n".join(re.findall(rf"^    gridroom \[?{name}\]?.*$", text, re.MULTILINE))
        assert usage, f"{name} has no line"
        for action in every_action(parser):
            options = [option for option in action.option_strings if option not in ("-h", "--help")]
            if options:
                assert any(re.search(rf"{option}\b", usage) for option in options), (
                    f"{name}: {options} is not in its line"
                )


# ------------------------------------------------------------------------------------------------ tables of keys


def tables(heading: str) -> list[list[list[str]]]:
    """The tables under a heading of station-config.md or cleaning.md, up to the next one: rows, the header first."""
    text = "".join(file.read_text(encoding="utf-8") for file in (STATION_CONFIG, CLEANING))
    part = re.split(rf"^#+ {re.escape(heading)}$", text, flags=re.MULTILINE)[1]
    part = re.split(r"^#+ ", part, flags=re.MULTILINE)[0]
    found: list[list[list[str]]] = []
    for block in re.findall(r"(?:^\|.*\n)+", part, re.MULTILINE):
        rows = [[cell.strip() for cell in row.strip()[1:-1].split("|")] for row in block.splitlines()]
        found.append([row for row in rows if set(row[0]) != {"-"}])
    return found


KEY_TABLES: Final[dict[tuple[str, int], type[BaseModel]]] = {
    ("The whole file", 0): StationForm,
    ("station", 0): StationHeadForm,
    ("location", 0): LocationForm,
    ("limits", 0): LimitsForm,
    ("history", 0): HistoryForm,
    ("retention", 0): RetentionForm,
    ("access", 0): AccessForm,
    ("records", 0): RecordsForm,
    ("audit", 0): AuditForm,
    ("topology", 0): NodeForm,
    ("devices", 0): DeviceForm,
    ("ratings", 0): RatingsForm,
    ("blocks", 0): BlocksForm,
    ("points", 0): PointForm,
    ("Alarms", 0): AlarmsForm,
    ("Alarms", 1): LimitForm,
    ("Templates", 0): TemplateForm,
    ("control", 0): ControlForm,
    ("confirm", 0): ConfirmForm,
    ("derate", 0): DerateForm,
    ("trips", 0): TripForm,
    ("scale", 0): ScaleForm,
    ("clamp", 0): ClampForm,
    ("bits", 0): BitsForm,
    ("map", 0): MapForm,
    ("spike", 0): SpikeForm,
    ("rate", 0): RateForm,
    ("median and mean", 0): MedianForm,
    ("stuck", 0): StuckForm,
    ("substitute", 0): SubstituteForm,
    ("counter", 0): CounterForm,
}
each_table = pytest.mark.parametrize(
    ("place", "form"),
    KEY_TABLES.items(),
    ids=[f"{heading}-{form.__name__}" for (heading, _), form in KEY_TABLES.items()],
)


def keys_of(form: type[BaseModel]) -> set[str]:
    return {info.alias or name for name, info in form.model_fields.items()}


def yaml_value(text: str) -> Any:
    """What a piece of YAML means."""
    with tempfile.TemporaryDirectory() as folder:
        return read(Path(folder), f"x: {text}\n")["x"]


def code(cell: str) -> str:
    """What stands between backticks, the whole cell; empty for another."""
    match = re.fullmatch(r"`(.*)`", cell)
    return match[1] if match else ""


def rows_of(place: tuple[str, int]) -> list[list[str]]:
    header, *rows = tables(place[0])[place[1]]
    assert header == ["key", "type", "default", "example", "meaning"]
    return rows


@each_table
def test_a_table_has_every_key_and_no_other(place: tuple[str, int], form: type[BaseModel]) -> None:
    assert [code(row[0]) for row in rows_of(place)] != []
    assert {code(row[0]) for row in rows_of(place)} == keys_of(form)


@each_table
def test_defaults_and_examples_are_what_the_form_takes(place: tuple[str, int], form: type[BaseModel]) -> None:
    fields: dict[str, FieldInfo] = {info.alias or name: info for name, info in form.model_fields.items()}
    for key, _, default, sample, *_ in rows_of(place):
        info = fields[code(key)]
        adapter: TypeAdapter[Any] = TypeAdapter(info.rebuild_annotation())
        if info.is_required():
            assert default == "required", key
        elif info.get_default(call_default_factory=True) is None:
            assert default == "–", key
        else:
            given = adapter.validate_python(yaml_value(code(default)))
            assert given == info.get_default(call_default_factory=True), key
        if sample:
            adapter.validate_python(yaml_value(code(sample)))


def test_the_other_alarm_forms_have_the_keys_that_the_text_says() -> None:
    assert keys_of(StateAlarmForm) == keys_of(LimitForm) == {"value", "priority", "delay", "hysteresis"}
    assert keys_of(MeanForm) == keys_of(MedianForm)


@pytest.mark.parametrize(
    ("place", "key", "words"),
    [
        (("topology", 0), "kind", NodeForm.model_fields["kind"].annotation.__args__),  # type: ignore[union-attr]
        (("devices", 0), "kind", tuple(DeviceKind)),
        (("devices", 0), "connection", ("driver", *registry.names())),
        (("Alarms", 0), "priority", tuple(Priority)),
        (("control", 0), "on_bad_input", ("hold", "ramp", "fall_back")),
    ],
)
def test_lists_of_words_are_complete(place: tuple[str, int], key: str, words: tuple[str, ...]) -> None:
    (row,) = [row for row in rows_of(place) if code(row[0]) == key]
    assert set(words) <= set(re.findall(r"`([^`]*)`", row[4]))


def test_the_kinds_of_points_are_complete() -> None:
    _, *rows = tables("points")[1]
    assert [code(row[0]) for row in rows] == list(PointKind)


def test_roles_and_their_units_are_those_of_the_model() -> None:
    (table,) = tables("Roles and signs")
    assert {code(row[0]): code(row[1]) for row in table[1:]} == ROLES


def test_units_are_those_of_the_model() -> None:
    (table,) = tables("Units")
    found = [unit for row in table[1:] for unit in re.findall(r"`([^`]*)`", row[0])]
    assert sorted(found) == sorted(UNITS)


def test_quality_letters_are_those_of_the_model() -> None:
    (table,) = tables("Quality")
    assert [code(row[0]) for row in table[1:]] == list(LETTERS.values())


def test_own_points_are_those_of_the_model() -> None:
    (table,) = tables("Gridroom's own points")
    assert [(code(row[0]), row[1], code(row[2]) or None) for row in table[1:]] == [
        (point.id, point.kind, point.unit) for point in own_points()
    ]
    alarm = own_points()[0].alarms
    assert alarm is not None and alarm.state is not None and alarm.state.priority in table[1][3]


# ---------------------------------------------------------------------------------------------- computed points


def computed_points() -> str:
    return (REFERENCE / "computed-points.md").read_text(encoding="utf-8")


def test_the_page_names_every_function_operator_and_reset() -> None:
    text = computed_points()
    functions = {*expression._ARGUMENTS, *expression.AGGREGATES, "convert", "integral", "delta"}
    assert set(re.findall(r"\b([a-z]+)\(", text)) == functions
    assert all(f"`{word}`" in text for word in expression.RESETS)
    symbols = {*expression._BINARY.values(), *expression._COMPARE.values(), "and", "or", "not"}
    table = text.partition("## ")[0]
    assert all(
        re.search(rf"(?<!\S|\w)`?{re.escape(symbol)}`?(?!\S)|[`\s]{re.escape(symbol)}[`\s]", table)
        for symbol in symbols
    )


def test_the_expressions_of_the_page_parse() -> None:
    """Those of the table that are whole: every code of its first column that Python itself can read."""
    parsed = 0
    for row in re.findall(r"^\| (`.*?) \|", computed_points(), re.MULTILINE):
        for text in re.findall(r"`([^`]*)`", row):
            if "..." in text or not is_python(text) or not re.search(r"[a-z]", text):
                continue
            expression.parse(text, lambda name: 0, lambda pattern: [0])
            parsed += 1
    assert parsed >= 12


def is_python(text: str) -> bool:
    with contextlib.suppress(SyntaxError):
        ast.parse(text, mode="eval")
        return True
    return False


def test_the_stations_of_the_first_ten_minutes_have_a_grid_meter(tmp_path: Path) -> None:
    """Both pages show one whole station, whose first point is the one that their text goes on to speak of."""
    for name in ("README.md", "docs/tutorial/first-ten-minutes.md"):
        (text,) = [text for where, text in BLOCKS if where.startswith(f"{name}:")]
        (tmp_path / "station.yaml").write_text(text, encoding="utf-8")
        assert load_station(tmp_path).station.by_name["meter1.p_kw"] == 0


def test_every_alarm_of_control_is_told() -> None:
    """By the keys as they stand in its sources."""
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "app" / "control").glob("*.py"))
    keys = set(re.findall(r'f"(control_[a-z]+_)\{', code)) | set(re.findall(r'Final = "(control(?:_[a-z]+)*_?)"', code))
    table = re.findall(
        r"^\| `(control[a-z_]*)…?` \|", (REFERENCE / "control.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(keys) > 12 and set(table) == keys
