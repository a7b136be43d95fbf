"""History ids: a number for a point's full name, given once and kept for ever, so that no edited config moves old data.

They stand in `history/points.csv` (`id,name`, a row a point), which needs no database to be read, and in a copy inside
`history.duckdb` for the day when the file is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.history.trouble import Troubles
from app.history.whole import set_aside, write_whole

FILE_NAME: Final = "points.csv"
_HEAD: Final = "id,name"


class PointIds:
    """The table of ids. Grows, and never changes what it has."""

    def __init__(self, known: Mapping[str, int], floor: int = 0) -> None:
        self._ids = dict(known)
        self._names = {id_: name for name, id_ in self._ids.items()}
        self._next = max((floor, *(id_ + 1 for id_ in self._names)))

    def __len__(self) -> int:
        return len(self._ids)

    def id(self, name: str) -> int | None:
        """The id of a full name, if it ever had one."""
        return self._ids.get(name)

    def name(self, id_: int) -> str:
        """The full name of an id. `point17` for one whose name was lost with its file."""
        return self._names.get(id_, f"point{id_}")

    def names(self) -> list[str]:
        """Every name that ever had an id."""
        return list(self._ids)

    def rows(self) -> list[tuple[int, str]]:
        """(id, name) of all, in the order in which they were given."""
        return sorted(self._names.items())

    def assign(self, names: Sequence[str]) -> NDArray[np.int32]:
        """Ids of these names, int32[n]; a name without one gets the next that was never used."""
        for name in names:
            if name not in self._ids:
                self._ids[name] = self._next
                self._names[self._next] = name
                self._next += 1
        return np.array([self._ids[name] for name in names], dtype=np.int32)

    def save(self, folder: Path) -> None:
        """Write `points.csv` whole. Raises OSError."""
        write_whole(folder / FILE_NAME, "\n".join((_HEAD, *(f"{id_},{name}" for id_, name in self.rows()), "")))


def load_ids(
    folder: Path, copy: Iterable[tuple[int, str]], floor: int, now_ns: int, troubles: Troubles | None
) -> PointIds:
    """The ids as they stand: those of the file, and what only the database's `copy` knows.

    `floor` is an id above all that stored rows use: where both tables are lost, new points must not take old numbers.
    With `troubles`, a file that cannot be read is set aside and told.
    """
    known: dict[str, int] = {}
    path = folder / FILE_NAME
    try:
        known = _parse(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        if troubles is not None:
            aside = set_aside(path, now_ns)
            troubles.tell(
                "history.points",
                f"the table of point ids {path} cannot be read ({error}); it was set aside as {aside.name} and "
                "made again from its copy in history.duckdb",
                f"点号表 {path} 无法读取（{error}）；已移为 {aside.name}，并由 history.duckdb 中的副本重建",
            )
    taken = set(known.values())
    for id_, name in copy:
        if name not in known and id_ not in taken:
            known[name] = id_
            taken.add(id_)
    return PointIds(known, floor)


def _parse(text: str) -> dict[str, int]:
    lines = text.splitlines()
    if not lines or lines[0] != _HEAD:
        raise ValueError(f"its first line is not '{_HEAD}'")
    known: dict[str, int] = {}
    for number, line in enumerate(lines[1:], start=2):
        id_, comma, name = line.partition(",")
        if not comma or not id_.isdecimal() or not name or name in known:
            raise ValueError(f"line {number} is not an id and a new name")
        known[name] = int(id_)
    if len(set(known.values())) != len(known):
        raise ValueError("two names have one id")
    return known
