"""Point tables in CSV, as dispatch centres hand them out in spreadsheets: one line an information object.

    ioa,type,point,scale,deadband,name
    16385,M_ME_NC_1,meter1.p_kw,1,0.5,Active power
    25089,C_SE_NC_1,pcs1.p_set,,,

A line whose `point` is empty is not offered yet; one that begins with # is a remark.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from app.model.errors import Fault
from app.model.text import Text

NUMBERS: Final = ("scale", "offset", "deadband")
KEYS: Final = ("ioa", "type", "point", *NUMBERS, "groups", "select")
REQUIRED: Final = ("ioa", "type", "point")
FOR_PEOPLE: Final = ("name", "name_zh", "unit", "note", "class", "ioa_hex")
"""Columns that nobody but people reads."""
_LONGEST: Final = 100_000
"""Lines; there are 65,534 objects in the largest table anybody keeps."""


@dataclass(frozen=True, slots=True)
class Line:
    """What stands in one line, as the keys of a point or a command in `northbound.yaml` would have it."""

    number: int
    keys: dict[str, Any]

    @property
    def is_command(self) -> bool:
        return str(self.keys.get("type", "")).startswith("C_")


def read_table(file: Path) -> tuple[list[Line], list[Fault]]:
    """All lines of a table, and what is wrong with its form. Types, addresses and points are judged by who reads it."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return [], [
            Fault(
                file,
                1,
                Text("not UTF-8 text", "不是 UTF-8 文本"),
                Text("save it as 'CSV UTF-8'", "请保存为“CSV UTF-8”"),
            )
        ]
    except OSError as error:
        return [], [
            Fault(
                file,
                1,
                Text(f"the table cannot be read: {error.strerror}", f"无法读取点表：{error.strerror}"),
                Text("correct the path under 'table'", "请改正 table 下的路径"),
            )
        ]
    return parse(text, file)


def parse(text: str, file: Path) -> tuple[list[Line], list[Fault]]:
    """As `read_table`, of what stands in it."""
    lines: list[Line] = []
    faults: list[Fault] = []
    header: list[str] | None = None
    try:
        for number, cells in _cells(text):
            if header is None:
                header = [cell.strip() for cell in cells]
                faults += _header_faults(file, number, header)
                if faults:
                    break
            elif len(cells) > len(header):
                what = Text(
                    f"{len(cells)} cells under {len(header)} columns", f"{len(header)} 列之下有 {len(cells)} 个单元格"
                )
                faults.append(
                    Fault(file, number, what, Text("put a text with a comma into quotes", "含逗号的文本请加引号"))
                )
            elif keys := _keys(dict(zip(header, cells, strict=False))):
                lines.append(Line(number, keys))
            if len(lines) > _LONGEST:
                return [], [
                    Fault(
                        file,
                        number,
                        Text(f"more than {_LONGEST:,} lines", f"超过 {_LONGEST:,} 行"),
                        Text("split it among several centres", "请分到多个调度中心"),
                    )
                ]
    except csv.Error as error:
        faults.append(
            Fault(
                file,
                1,
                Text(f"not CSV: {error}", f"不是 CSV：{error}"),
                Text("save it from the spreadsheet as 'CSV UTF-8'", "请从电子表格保存为“CSV UTF-8”"),
            )
        )
    if header is None and not faults:
        faults.append(
            Fault(
                file,
                1,
                Text("the table is empty", "点表为空"),
                Text(f"begin with the line {','.join(KEYS)}", f"请以“{','.join(KEYS)}”一行开头"),
            )
        )
    return lines, faults


def _cells(text: str) -> Iterator[tuple[int, list[str]]]:
    """(line, its cells) of everything that is no remark."""
    source = text.splitlines()
    reader = csv.reader(source, strict=True)
    for cells in reader:
        if any(cell.strip() for cell in cells) and not cells[0].startswith("#"):
            yield reader.line_num, cells


def _header_faults(file: Path, line: int, header: list[str]) -> list[Fault]:
    faults = []
    for key in header:
        if key not in (*KEYS, *FOR_PEOPLE):
            near = get_close_matches(key, KEYS, 1)
            mend = (
                Text(f"did you mean '{near[0]}'?", f"是否应为“{near[0]}”？")
                if near
                else Text(f"known: {' '.join((*KEYS, *FOR_PEOPLE))}", f"已有：{' '.join((*KEYS, *FOR_PEOPLE))}")
            )
            faults.append(Fault(file, line, Text(f"unknown column '{key}'", f"未知列“{key}”"), mend))
    for key in REQUIRED:
        if key not in header:
            faults.append(
                Fault(
                    file,
                    line,
                    Text(f"no column '{key}'", f"缺少列“{key}”"),
                    Text("add it to the first line", "请在第一行添加"),
                )
            )
    for key in sorted({key for key in header if header.count(key) > 1}):
        faults.append(
            Fault(
                file,
                line,
                Text(f"column '{key}' is there twice", f"列“{key}”出现两次"),
                Text("keep one of the two", "请保留其一"),
            )
        )
    return faults


def _keys(cells: dict[str, str]) -> dict[str, Any]:
    """The keys of one line; nothing where no point is assigned yet."""
    given = {key: cell.strip() for key, cell in cells.items() if key in KEYS and cell.strip()}
    if "point" not in given:
        return {}
    keys: dict[str, Any] = dict(given)
    if "ioa" in given:
        keys["ioa"] = _whole(given["ioa"])
    for key in NUMBERS:
        if key in given:
            keys[key] = _number(given[key])
    if "groups" in given:
        keys["groups"] = [_whole(group) for group in given["groups"].replace(";", " ").split()]
    if "select" in given:
        keys["select"] = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(
            given["select"].lower(), given["select"]
        )
    return keys


def _whole(text: str) -> int | str:
    """A whole number, also as 4001H or 0x4001; the text itself where it is none."""
    try:
        if text[-1:] in "Hh":
            return int(text[:-1], 16)
        return int(text, 16) if text.lower().startswith("0x") else int(text)
    except ValueError:
        return text


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
