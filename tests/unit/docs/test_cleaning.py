"""The page on cleaning is true: what stands in its tables of `in` and `out` is what the filters do."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from app.model import quality as q
from app.model.cleaning import CleanForm
from tests.support.cleaned import Cleaned
from tests.unit.docs.test_documents import CLEANING, headings, yaml_value

TEXT: Final = CLEANING.read_text(encoding="utf-8")
EXAMPLES: Final = re.findall(
    r"^```yaml\nclean: (.*)\n```\n\n\| in \|(.*)\|\n\|[-|]+\n\| out \|(.*)\|$", TEXT, re.MULTILINE
)


def cells(row: str) -> list[tuple[float, int]]:
    """`11 ESTIMATED` -> (11, ESTIMATED); `–` stands for no number."""
    bits = {word: bit for bit, word in q.LETTERS.items()}
    words = [cell.split() for cell in row.split("|")]
    return [(math.nan if first == "–" else float(first), sum(bits[mark] for mark in marks)) for first, *marks in words]


@pytest.mark.parametrize(("chain", "given", "out"), EXAMPLES, ids=[chain for chain, _, _ in EXAMPLES])
def test_an_example_does_what_the_page_says(chain: str, given: str, out: str) -> None:
    steps: list[dict[str, Any]] = yaml_value(chain)
    cleaned = Cleaned(steps, kind="counter" if "counter" in steps[0] else "measurement")
    seen: list[tuple[float, int]] = []
    for value, quality in cells(given):
        row = cleaned.send([0], [value], quality)
        seen.append((float(row.value[0]), int(row.quality[0])))
        cleaned.wait(1)
    assert np.allclose(np.array(seen), np.array(cells(out)), equal_nan=True), seen


def test_every_filter_has_its_chapter_and_example() -> None:
    named = " ".join(chain for chain, _, _ in EXAMPLES)
    for name in CleanForm.model_fields:
        assert f"{name}: {{" in named
        assert name in headings(Path(CLEANING)) or name in ("median", "mean")
        assert f"[`{name}`](#" in TEXT.partition("## ")[0]
