"""Every test that the list of IEC 62443-4-2 names is there, and every requirement says where it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
LIST: Final = (ROOT / "docs" / "explanation" / "security.md").read_text(encoding="utf-8")
ROWS: Final = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in LIST.splitlines() if re.match(r"\| [1-7]\.[0-9]", line)
]  # fmt: skip
COUNTS: Final = {1: 14, 2: 13, 3: 14, 4: 3, 5: 1, 6: 2, 7: 8}
ELSEWHERE: Final = {"1.6", "1.13", "2.3", "2.7", "7.5"}
"""Of network devices, of a higher level, or without a number of its own at this one."""
AT_SL2: Final = [
    f"{fr}.{n}" for fr, count in COUNTS.items() for n in range(1, count + 1) if f"{fr}.{n}" not in ELSEWHERE
]


def test_no_requirement_is_left_out() -> None:
    listed = [number for row in ROWS for number in re.findall(r"[1-7]\.[0-9]+", row[0])]
    assert listed == AT_SL2


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_requirement_names_a_test_that_exists_or_says_that_none_does(row: list[str]) -> None:
    shown = row[3]
    if shown in {"not yet", "–", "by its design"}:
        return
    file, _, name = shown.strip("`").partition("::")
    assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), shown
