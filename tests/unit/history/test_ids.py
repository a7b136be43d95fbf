"""A point's history id is for ever."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from app.history.ids import FILE_NAME, PointIds, load_ids
from app.history.trouble import Troubles
from app.model.text import Text

NAMES = st.lists(st.from_regex(r"[a-z]{1,3}\.[a-z]{1,2}", fullmatch=True), unique=True, max_size=8)


@given(st.lists(NAMES, max_size=6))
def test_no_edit_of_the_station_ever_moves_a_name_to_another_id(editions: list[list[str]]) -> None:
    ids = PointIds({})
    first: dict[str, int] = {}
    for names in editions:
        for name, id_ in zip(names, ids.assign(names).tolist(), strict=True):
            assert first.setdefault(name, id_) == id_
    assert len(set(first.values())) == len(first)
    assert all(ids.name(id_) == name for name, id_ in first.items())


def test_the_file_survives_a_new_start(tmp_path: Path) -> None:
    ids = PointIds({})
    ids.assign(["a.x", "b.y"])
    ids.save(tmp_path)
    again = load_ids(tmp_path, [], 0, 0, None)
    assert again.assign(["b.y", "c.z", "a.x"]).tolist() == [1, 2, 0]


def test_a_lost_file_is_made_good_by_the_copy_in_the_database(tmp_path: Path) -> None:
    ids = load_ids(tmp_path, [(5, "a.x"), (3, "b.y")], 0, 0, None)
    assert ids.assign(["a.x", "b.y", "new.one"]).tolist() == [5, 3, 6]


def test_a_file_that_cannot_be_read_is_set_aside_and_told(tmp_path: Path) -> None:
    told: list[tuple[str, Text | None]] = []
    for content in (b"\xff\xfe", b"id,name\n1,a.x\n1,b.y\n", b"id,name\nx,y\n", b"something else\n"):
        (tmp_path / FILE_NAME).write_bytes(content)
        told.clear()
        ids = load_ids(
            tmp_path, [(7, "a.x")], 0, 1_700_000_000 * 10**9, Troubles(lambda key, text: told.append((key, text)))
        )  # fmt: skip
        assert ids.id("a.x") == 7
        assert [key for key, _ in told] == ["history.points"]
        assert not (tmp_path / FILE_NAME).exists()
    assert len(list(tmp_path.glob("points.csv.broken-20231114T221320Z*"))) == 4


def test_with_both_tables_lost_new_points_take_no_number_that_rows_use(tmp_path: Path) -> None:
    assert load_ids(tmp_path, [], 100, 0, None).assign(["a.x"]).tolist() == [100]
