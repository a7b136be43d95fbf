"""What `clean` may say: judged with file and line, completed by an editor."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.model.errors import ConfigFaults
from app.model.loading import load_station
from app.schema import schema

HEAD = """version: 1
station: {id: s, name: S, timezone: UTC, location: {latitude: 0, longitude: 0}}
devices:
  - id: d
    name: D
    kind: meter
    connection: {driver: modbus-tcp, host: h}
    points:
      - {id: other, name: O, kind: measurement, address: {table: holding, register: 0}}
"""


def faults(folder: Path, chain: str, point: str = "kind: measurement", source: str = "address: {}") -> list[str]:
    point = f"      - {{id: p, name: P, {point}, {source},\n         clean: {chain}}}\n"
    (folder / "station.yaml").write_text(HEAD + point)
    try:
        load_station(folder)
    except ConfigFaults as error:
        return [f"{fault.line}: {fault.what}; {fault.mend}" for fault in error.faults]
    return []


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        ("[{spik: {}}]", "unknown key 'spik'; did you mean 'spike'?"),
        ("[{hampel: {}}]", "known here: bits clamp counter map mean median"),
        (
            "[{spike: {hold: 1s}}]",
            "hold 1 s of 'spike' ends before the next value comes: scan is 1 s; write several scans",
        ),
        ("[{stuck: {after: 500ms}}]", "after 0.5 s of 'stuck' ends before the next value comes"),
        ("[{substitute: {last: 800ms}}]", "last 0.8 s of 'substitute' ends before the next value comes"),
        ("[{spike: {windo: 7}}]", "unknown key 'windo'; did you mean 'window'?"),
        ("[{spike: {window: 4}}]", "write 5"),
        ("[{spike: {sigmas: 0.5}}]", "sigmas: "),
        ("[{spike: {}, rate: {per_s: 1}}]", "a step is one filter"),
        ("[{rate: {}}]", "'per_s' is missing"),
        ("[{stuck: {after: 5}}]", "not a duration"),
        ("[{clamp: {}}]", "clamps nothing"),
        ("[{clamp: {low: 2, high: 1}}]", "must be below"),
        ("[{scale: {through: [[1, 0], [1, 5]]}}]", "rise"),
        ("[{mean: {}}]", "either 'window'"),
        ("[{mean: {window: 3, over: 1s}}]", "either 'window'"),
        ("[{bits: {first: 50, count: 9}}]", "pass 52"),
        ("[{map: {states: {}}}]", "states: "),
        ("[{substitute: {value: 0, last: 1min}}]", "needs one of"),
        ("[{substitute: {point: othe}}]", "unknown point 'd.othe'; did you mean 'd.other'?"),
        ("[{substitute: {point: p}}]", "stands in for itself"),
        ("[{counter: {modulus: '3^9'}}]", "modulus: "),
        ("[{spike: {}}, {counter: {}}]", "stand first"),
    ],
)
def test_a_fault_is_told_where_it_stands(tmp_path: Path, chain: str, words: str) -> None:
    (fault,) = faults(tmp_path, chain)
    assert words in fault and fault.startswith(("10:", "11:"))


@pytest.mark.parametrize(
    ("chain", "point", "source", "words"),
    [
        ("[{spike: {}}]", "kind: command", "address: {}", "a command is not cleaned"),
        ("[{spike: {}}]", "kind: setpoint", "address: {}", "a setpoint is not cleaned"),
        ("[{spike: {}}]", "kind: measurement", "value: other * 2", "a computed point is not cleaned"),
        ("[{mean: {window: 3}}]", "kind: status", "address: {}", "a mean of states"),
        ("[{counter: {}}]", "kind: counter, scale: -1", "address: {}", "needs a scale above 0"),
        ("[{bits: {first: 1}}]", "kind: status, scale: 2", "address: {}", "leave scale and offset out"),
        ("[{clamp: {high: 99}}]", "kind: measurement, alarms: {hh: 110}", "address: {}", "alarm limit hh (110)"),
        ("[{clamp: {low: 0}}]", "kind: measurement, alarms: {l: -1}", "address: {}", "alarm limit l (-1)"),
    ],
)
def test_a_chain_must_fit_its_point(tmp_path: Path, chain: str, point: str, source: str, words: str) -> None:
    (fault,) = faults(tmp_path, chain, point, source)
    assert words in fault


def test_what_fits_is_taken(tmp_path: Path) -> None:
    assert faults(tmp_path, "[{counter: {modulus: 2^32}}, {substitute: {point: other}}]", "kind: counter") == []
    alarmed = "kind: measurement, alarms: {h: 99}"
    assert faults(tmp_path, "[{clamp: {high: 99}}]", alarmed) == []
    assert faults(tmp_path, "[{clamp: {high: 20}}, {scale: {through: [[4, 0], [20, 100]]}}]", alarmed) == []


def test_an_editor_is_told_every_filter_and_key() -> None:
    definitions = schema("station")["$defs"]
    step = definitions["CleanForm"]
    assert {"spike", "rate", "stuck", "counter"} <= set(step["properties"]) and step["maxProperties"] == 1
    assert set(definitions["StuckForm"]["properties"]) == {"after", "band", "except"}
