"""What a device's JSON is taken for: paths, numbers, times, qualities, and bodies that are no JSON."""

from __future__ import annotations

import json
import math
import re
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model import quality as q
from drivers.http.reading import Reader
from drivers.http.values import NoDocument, decode, is_good, number, time_ns
from drivers.json_path import MISSING, compile, find
from tests.support.devices import device, point
from tests.support.fuzzing import a_million

CHINESE = re.compile(r"[\u4e00-\u9fff]")
DOCUMENT = {"a": {"b": 1.5}, "list": [{"x": 7}, {"x": 8}], "a key": {"with.dot": True}, "相": 3, "null": None}


@pytest.mark.parametrize(
    ("path", "steps", "value"),
    [
        ("$", (), DOCUMENT),
        ("$.a.b", ("a", "b"), 1.5),
        ("$.list[1].x", ("list", 1, "x"), 8),
        ("$.list[-1].x", ("list", -1, "x"), 8),
        ("$['a key'][\"with.dot\"]", ("a key", "with.dot"), True),
        ("$.相", ("相",), 3),
        ("$.null", ("null",), None),
        ("$.list[2].x", ("list", 2, "x"), MISSING),
        ("$.a.b.c", ("a", "b", "c"), MISSING),
        ("$.a[0]", ("a", 0), MISSING),
        ("$.list.x", ("list", "x"), MISSING),
        ("$.none", ("none",), MISSING),
    ],
)
def test_a_path_leads_to_its_value_or_to_nothing(path: str, steps: tuple[Any, ...], value: Any) -> None:
    assert compile(path) == steps
    assert find(DOCUMENT, steps) is value or find(DOCUMENT, steps) == value


@pytest.mark.parametrize(
    ("path", "mend"),
    [
        ("a.b", "does not begin with"),
        (5, "does not begin with"),
        ("$a", "from 'a' on"),
        ("$.", "from '.' on"),
        ("$.list[x]", r"from '\[x\]' on; write"),
        ("$.list[*].x", "wildcards"),
        ("$..x", "one value"),
        ("$.list[0", "from"),
        ("$.a b", "a name with blanks"),
    ],
)
def test_a_path_that_is_none_says_what_to_write(path: Any, mend: str) -> None:
    with pytest.raises(ValueError, match=mend):
        compile(path)


@given(st.text(alphabet="$.[]'\"-0123456789ab *?:"))
def test_any_text_is_a_path_or_a_value_error(text: str) -> None:
    try:
        steps = compile(text)
    except ValueError:
        return
    assert find(DOCUMENT, steps) is not None


names = st.text(min_size=1).filter(lambda name: "'" not in name)


@given(st.lists(names | st.integers(0, 9)), st.integers())
def test_a_path_of_any_names_finds_what_was_put_there(steps: list[str | int], value: int) -> None:
    document: Any = value
    for step in reversed(steps):
        document = {step: document} if isinstance(step, str) else [None] * step + [document]
    written = "$" + "".join(f"['{step}']" if isinstance(step, str) else f"[{step}]" for step in steps)
    assert compile(written) == tuple(steps)
    assert find(document, compile(written)) == value


@pytest.mark.parametrize(
    ("raw", "value"),
    [(5, 5), (-1.5, -1.5), (True, 1), (False, 0), ("230.1", 230.1), (" -4e3 ", -4000), ("RUN", 3), (2**70, 2.0**70)],
)
def test_numbers_come_in_many_forms(raw: Any, value: float) -> None:
    assert number(raw, {"RUN": 3.0}) == (value, None)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (None, "null where"),
        ("STOP", "the text 'STOP'"),
        ("1_000", "the text"),
        ("٣", "the text"),
        ("nan", "the text"),
        ("", "the text"),
        ([1], "a list"),
        ({"v": 1}, "an object"),
        (math.nan, "no finite number"),
        ("1e999", "no finite number"),
        (10**400, "no finite number"),
    ],
)
def test_what_is_no_number_is_no_value_and_says_why(raw: Any, why: str) -> None:
    value, said = number(raw, {"RUN": 3.0})
    assert math.isnan(value) and said is not None and why in said.en and CHINESE.search(said.zh)


@pytest.mark.parametrize(
    ("raw", "ns"),
    [
        (1_764_000_000, 1_764_000_000_000_000_000),
        (1_764_000_000.25, 1_764_000_000_250_000_000),
        (1_764_000_000_250, 1_764_000_000_250_000_000),
        (1_764_000_000_250_001, 1_764_000_000_250_001_000),
        (1_764_000_000_250_000_001, 1_764_000_000_250_000_001),
        ("1764000000", 1_764_000_000_000_000_000),
        ("2025-11-24T16:00:00Z", 1_764_000_000_000_000_000),
        ("2025-11-25T00:00:00.250+08:00", 1_764_000_000_250_000_000),
    ],
)
def test_times_come_in_many_forms(raw: Any, ns: int) -> None:
    assert time_ns(raw) == ns


@pytest.mark.parametrize(
    "raw",
    ["2025-11-25 00:00:00", "yesterday", "", "0001-01-01T00:00:00Z", None, True, 0, -5, 1e30, math.nan, [], 10**30],
)
def test_a_time_that_is_none_or_says_no_zone_is_not_guessed(raw: Any) -> None:
    assert time_ns(raw) is None


def test_what_is_good_is_said_by_words_or_by_the_address() -> None:
    given_ = (True, "good", "ok", "valid")
    assert [is_good(raw, given_) for raw in (True, "Good", "OK")] == [True] * 3
    assert [is_good(raw, given_) for raw in (False, 1, 192, "bad", "", None, [True], {})] == [False] * 8
    assert is_good(192, (192,)) and not is_good(True, (1,)) and not is_good(1, (True,))


@pytest.mark.parametrize(
    ("body", "charset", "words"),
    [
        (b"", "", "no JSON"),
        (b"<!doctype html><html>", "", "'<!doctype html>"),
        (b'{"a": 1', "", "at character 7"),
        (b"[" * 100_000, "", "too deep"),
        (b"\xff\xfe\x00", "utf-8", "no text|no JSON"),
        (b'{"a": "\xe7"}', "", "no text in UTF-8"),
        (b'{"a": "\xff"}', "gbk", "no text in gbk"),
        (b"{}", "klingon", "charset 'klingon'"),
        (b"{}", "idna", "charset 'idna'"),
        (b"{}", "base64", "charset 'base64'"),
        (b"1" * 5000, "", "cannot be read"),
    ],
)
def test_a_body_that_is_no_json_says_why(body: bytes, charset: str, words: str) -> None:
    with pytest.raises(NoDocument, match=words) as caught:
        decode(body, charset)
    assert CHINESE.search(caught.value.text.zh)


def test_bodies_of_other_charsets_and_the_nan_that_json_has_not() -> None:
    assert decode('{"名": 1}'.encode("gb2312"), "GB2312") == {"名": 1}
    assert decode("﻿[1]".encode(), "utf-8") == [1]
    assert all(math.isnan(one) for one in decode(b"[NaN, Infinity, -Infinity]"))


def fuzz(count: int, random: Random) -> None:
    """Bodies that were JSON once, read by every kind of address."""
    addresses = [
        {"path": "$.a.b", "time": "$.t", "quality": "$.q"},
        {"path": "$.list[-1].x", "map": {"RUN": 1}},
        {"path": "$", "good": [192], "quality": "$.q"},
    ]
    points = [point(f"p{i}", address) for i, address in enumerate(addresses)]
    some = device("d", {}, points)
    readers = [Reader(some.points, whole=whole) for whole in (True, False)]
    seeds = [
        json.dumps({"a": {"b": 1.5}, "list": [{"x": "RUN"}], "t": 1_764_000_000, "q": "good"}).encode(),
        b'{"a": {"b": NaN}, "t": "2025-11-24T16:00:00Z", "q": 192, "list": [[], {}, {"x": 1e308}]}',
    ]
    for _ in range(count):
        body = bytearray(random.choice(seeds))
        for _ in range(random.randrange(4)):
            at = random.randrange(len(body))
            match random.randrange(3):
                case 0:
                    body[at] = random.randrange(256)
                case 1:
                    del body[at : at + random.randrange(8)]
                case 2:
                    body[at:at] = random.choice((b"1", b"e9", b'"', b"null", b"[", b"}", b"\xe7", b"-", b"true"))
        try:
            document = decode(bytes(body))
        except NoDocument:
            continue
        for reader in readers:
            updates, remarks = reader.updates(document, 10**18)
            bad = int(((updates.quality & q.IV) != 0).sum())
            assert bad >= len(remarks)
            assert (updates.quality[~np.isfinite(updates.value)] & q.IV != 0).all()


def test_any_body_is_values_or_no_document() -> None:
    fuzz(5_000, Random(1))


@pytest.mark.slow
def test_a_million_bodies_are_values_or_no_document_and_leave_nothing() -> None:
    a_million(fuzz)
