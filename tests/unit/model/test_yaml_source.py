"""YAML as it comes from people and editors: every fault has a line, and no file ends the process."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.model.yaml_source import YamlSource


def read(folder: Path, text: str) -> YamlSource:
    file = folder / "x.yaml"
    file.write_text(text, encoding="utf-8", newline="")
    return YamlSource(file)


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 200_000,
        "- " * 100_000 + "a",
        "a: " + "{a: " * 100_000,
        "? " * 100_000 + "a",
        "a: " + "[" * 150 + "]" * 150,
    ],
    ids=["lists", "dashes", "mappings", "question marks", "closed"],
)
def test_a_file_nested_too_deep_is_a_fault_and_no_crash(tmp_path: Path, text: str) -> None:
    (fault,) = read(tmp_path, text).faults
    assert fault.what.en == "nested deeper than 100 levels"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: \x07", "x.yaml:2: not YAML: control characters are not allowed: character 0x0007; remove that character"),
        ("a: 1\n---\nb: 2", "x.yaml:2: a second document begins; remove the line '---'"),
        ("a: 1\nb: *c", "x.yaml:2: no '&c' stands before this '*c'; write the text in quotes if it is no alias"),
        ("a: 1\nb: !include points.yaml", "x.yaml:2: the tag !include means nothing here; remove it, or write the text in quotes"),
        ("a: 1\nb: !!python/object:os.system x", "x.yaml:2: the tag tag:yaml.org,2002:python/object:os.system means nothing here"),
        ("a: 1\nb: &b [*b]", "x.yaml:2: aliases nest deeper than 100 levels, or contain themselves; write what they stand for"),
        ("a:\n\t- b", "x.yaml:2: not YAML: found character that cannot start any token: a tab stands here; write spaces instead"),
        ("-\ta: 1\n  b: 2", "x.yaml:1: not YAML: found character that cannot start any token: a tab stands here"),
        ('a: 1\nb: "\\ud800"', "x.yaml:2: not YAML: found invalid Unicode character escape code"),
        ("a: 1\n[b]: 2", "x.yaml:2: a list or mapping is used as a key; write a plain word as the key"),
        ("a: 1\nbcd", "x.yaml:2: not YAML: could not find expected ':'"),
        ("a: 1\na: 2", "x.yaml:2: 'a' stands here twice; keep one of the two"),
    ],
)  # fmt: skip
def test_each_fault_of_form_has_its_line(tmp_path: Path, text: str, expected: str) -> None:
    (fault,) = read(tmp_path, text).faults
    assert str(fault).replace(f"{tmp_path}/", "").replace(f"{tmp_path}\\", "").startswith(expected)
    assert "\n" not in str(fault)


@pytest.mark.parametrize(
    ("text", "line", "character", "meant"),
    [
        ("a: 1\nid：m\nb: 2", 2, "：", ":"),
        ("- id：m1\n  name: x", 1, "：", ":"),
        ("a: 1\nb: {c: d，e: f}", 2, "，", ","),
        ("a: {c：d, e: f}", 1, "：", ":"),
        ("a: ｛b: 1｝", 1, "｛", "{"),
        ("a: 1\nname: “M”", 2, "“", '"'),
        ('name: "M”\nb: 1', 1, "”", '"'),
        ('a: {en: "M”, zh: "站"}', 1, "”", '"'),
        ("“a”: 1", 1, "“", '"'),
        ("a: '：'\nb: '，' # ，\nc：2", 3, "：", ":"),
    ],
)
def test_full_width_punctuation_is_named_with_its_line_and_what_is_meant(
    tmp_path: Path, text: str, line: int, character: str, meant: str
) -> None:
    """Those who write Chinese type it all the time, and it is hard to see."""
    fault = read(tmp_path, text).faults[0]
    assert fault.line == line
    assert fault.what.en.endswith(f": the full-width character {character} stands here")
    assert fault.mend.en == f"write {meant} instead, or put the whole text in quotes"


def test_all_full_width_punctuation_that_keeps_a_file_from_being_read_is_told_at_once(tmp_path: Path) -> None:
    text = """version： 1
station：
  id: s
  name: {en: A， zh: B}
  location: {latitude： 1, longitude: 2｝
devices:
  － id: m
    name：表
    note: 一号，二号
    b： c
"""
    found = [(fault.line, fault.what.en.removesuffix(" stands here")[-1]) for fault in read(tmp_path, text).faults]
    assert sorted(found) == [(1, "："), (2, "："), (4, "，"), (5, "："), (5, "｝"), (7, "－"), (8, "："), (10, "：")]


def test_wide_spaces_are_named(tmp_path: Path) -> None:
    for text, named in (("a: 1\n\u3000b: 1", "a full-width space"), ("a: 1\n\u00a0b: 1", "a no-break space")):
        (fault,) = read(tmp_path, text).faults
        assert fault.line == 2 and fault.what.en.endswith(f"{named} stands here")


def test_full_width_characters_in_texts_are_texts(tmp_path: Path) -> None:
    text = "a: 一号（北），东：“甲”\nb: '“乙”，：'\nc: \"　丙：\"\nd: |\n  丁：，“\n# 戊：\n"
    assert read(tmp_path, text).data == {"a": "一号（北），东：“甲”", "b": "“乙”，：", "c": "　丙：", "d": "丁：，“\n"}


def test_a_number_of_thousands_of_digits_is_a_text(tmp_path: Path) -> None:
    assert read(tmp_path, f"a: {'9' * 5000}").data == {"a": "9" * 5000}


def test_scalars_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    source = read(tmp_path, "[off, on, yes, no, 0x10, 1e3, 1:20, 2026-11-21, ~, true, .inf, '5', 0o7, 1_000]")
    assert source.data == [
        "off", "on", "yes", "no", 16, 1000.0, "1:20", "2026-11-21", None, True, float("inf"), "5", "0o7", "1_000",
    ]  # fmt: skip


def test_what_windows_editors_write_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeffa: 1\r\nb: 站\r\n").data == {"a": 1, "b": "站"}


def test_an_anchor_stands_for_what_it_names(tmp_path: Path) -> None:
    source = read(tmp_path, "a: &x {b: 1}\nc: [*x, *x]\nd: &y word\ne: *y")
    assert source.data == {"a": {"b": 1}, "c": [{"b": 1}, {"b": 1}], "d": "word", "e": "word"}
    assert source.line(("e",)) == 4 and source.line(("c", 1, "b")) == 1
