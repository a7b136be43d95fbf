"""Versions of a station's files: who loaded which, what changed against the one before, and the way back."""

from __future__ import annotations

import base64
import json
import logging
import zlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from app.history.whole import write_whole
from app.model.access import Action, Actor, Changed, permit
from app.model.clock import Clock, to_datetime
from app.model.difference import Applied, DifferenceRow, Kind, Outline, VersionRow, differences
from app.model.errors import GridroomError, mend_of
from app.model.named_files import TABLE_FORMS, YAML_FORMS, is_own, is_read_unasked, station_files
from app.model.text import Text
from app.records.service import Records
from app.records.tables import config_version

FORMS: Final = (*YAML_FORMS, *TABLE_FORMS)
MOST_FILES: Final = 1000
MOST_BYTES: Final = 32 << 20
_PAGE: Final = 200

_log = logging.getLogger("gridroom.versions")


class Versions:
    """Of one running station. Thread-safe; answers are futures that fail with GridroomError."""

    def __init__(
        self,
        records: Records,
        clock: Clock,
        directory: Path,
        backups: Path,
        *,
        apply: Callable[[Actor], Applied],
        locked: Text | None = None,
    ) -> None:
        """`apply` gives the running station what stands in its files, or raises GridroomError and changes nothing."""
        self._records = records
        self._clock = clock
        self._directory = directory
        self._backups = backups
        self._apply = apply
        self._locked = locked
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="versions")

    def stop(self) -> None:
        """Wait for what runs."""
        self._pool.shutdown(cancel_futures=True)

    def loaded(self, config_hash: str, outline: Outline, actor: Actor) -> Future[tuple[DifferenceRow, ...]]:
        """A configuration runs from now on: kept, unless it is the one that ran before. What changed against that.

        It waits until the records can be written. Raises GridroomError, OSError for files that cannot be read.
        """
        texts = files_of(self._directory)
        now = self._clock.now_ns()

        def work(connection: Connection) -> tuple[DifferenceRow, ...]:
            last = connection.execute(
                select(config_version.c.hash, config_version.c.files).order_by(config_version.c.id.desc()).limit(1)
            ).first()
            if last is not None and last.hash == config_hash:
                return ()
            rows = differences(_unpacked(last.files)[1], outline) if last is not None else ()
            connection.execute(insert(config_version), {
                "hash": config_hash, "loaded": now, "actor": actor.name, "origin": actor.origin,
                "files": _packed(texts, outline), "difference": json.dumps([asdict(row) for row in rows]),
            })  # fmt: skip
            return rows

        return self._records.write(work)

    @permit(Action.CONFIGURE)
    def rows(self, limit: int = _PAGE) -> Future[list[VersionRow]]:
        """The newest first."""
        columns = [column for column in config_version.c if column.name != "files"]
        wanted = select(*columns).order_by(config_version.c.id.desc()).limit(max(0, min(limit, _PAGE)))
        return self._records.read(lambda connection: [_row(one) for one in connection.execute(wanted)])

    @permit(Action.CONFIGURE)
    def texts(self, id_: int) -> Future[dict[str, str]]:
        """The files of a version, by their path in the station's folder."""
        return self._records.read(lambda connection: _texts(connection, id_))

    @permit(Action.CONFIGURE, changes=True)
    def go_back(self, id_: int, reason: str = "", *, who: Actor) -> Future[Any]:
        """Write the files of a version, and give them to the running station; or refuse it whole.

        What stood there before is kept in the backups. Answers with Applied.
        """
        return self._pool.submit(self._go_back, id_, who)

    def _go_back(self, id_: int, who: Actor) -> Changed[Applied]:
        if self._locked is not None:
            raise GridroomError(self._locked)
        wanted = self._records.read(lambda connection: _texts(connection, id_)).result()
        for name in wanted:
            _inside(self._directory, name)
        before = files_of(self._directory, wanted)
        self._keep(before)
        try:
            self._write(before, wanted)
            applied = self._apply(who)
        except BaseException:
            self._write(wanted, before)
            raise
        return Changed(applied, None, {"version": id_, "hash": applied.config_hash, "changes": applied.rows})

    def _keep(self, files: Mapping[str, str]) -> None:
        stamp = to_datetime(self._clock.now_ns()).strftime("%Y%m%dT%H%M%S%fZ")
        folder = self._backups / f"{stamp}-before-going-back"
        for name, text in files.items():
            path = folder / PurePosixPath(name)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, text)
            except OSError as error:
                raise _unwritable(path, error) from error

    def _write(self, there: Mapping[str, str], wanted: Mapping[str, str]) -> None:
        """Make the folder hold `wanted` where it holds `there`; files that are the same are left alone.

        Only what would be read unasked is removed: a table that nothing names any more does no harm, and may be wanted.
        """
        for name, text in wanted.items():
            if there.get(name) != text:
                path = _inside(self._directory, name)
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_whole(path, text)
                except OSError as error:
                    raise _unwritable(path, error) from error
        for name in there.keys() - wanted.keys():
            if is_read_unasked(name):
                _inside(self._directory, name).unlink(missing_ok=True)


def files_of(directory: Path, also: Iterable[str] = ()) -> dict[str, str]:
    """What a configuration is made of, and `also` where it is there, by the path in the station's folder.

    Each byte is kept (`surrogateescape`). Links are left out.

    Raises GridroomError where there is more than a configuration could need.
    """
    found: dict[str, str] = {}
    size = 0
    more = [name for name in also if is_own(directory, name)]
    for name in sorted({*station_files(directory), *more}):
        content = (directory / name).read_bytes()
        size += len(content)
        if len(found) >= MOST_FILES or size > MOST_BYTES:
            raise GridroomError(
                Text(
                    f"{directory} holds more than a configuration needs ({MOST_FILES} files, {MOST_BYTES >> 20} MiB); "
                    "keep other files elsewhere",
                    f"{directory} 中的文件超出配置所需（{MOST_FILES} 个，{MOST_BYTES >> 20} MiB）；请将其他文件移走",
                )
            )
        found[name] = content.decode("utf-8", "surrogateescape")
    return found


def _through_link(directory: Path, path: Path) -> bool:
    return any(parent.is_symlink() for parent in path.parents if parent != directory and directory in parent.parents)


def _inside(directory: Path, name: str) -> Path:
    """A file of the station's folder. Raises GridroomError for a name that leads out of it, or through a link."""
    parts = PurePosixPath(name)
    path = directory / parts
    good = name and not parts.is_absolute() and ".." not in parts.parts and not set(name) & set("\\:\0")
    if not good or path.suffix.lower() not in FORMS or path.is_symlink() or _through_link(directory, path):
        text = Text(
            f"'{name[:80]}' is no file of the station's folder; nothing is changed", f"“{name[:80]}”不是站点文件"
        )
        raise GridroomError(text)
    return path


def _packed(texts: Mapping[str, str], outline: Outline) -> str:
    """Compressed: a park of 100,000 points is mostly repetition."""
    content = json.dumps({"texts": texts, "outline": outline}).encode()
    return base64.b64encode(zlib.compress(content, 6)).decode()


def _unpacked(packed: str) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Raises GridroomError where it is not what was packed."""
    try:
        engine = zlib.decompressobj()
        content = engine.decompress(base64.b64decode(packed), 16 * MOST_BYTES)
        form = json.loads(content)
        return form["texts"], form["outline"]
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        text = Text(
            "that version cannot be read: the records are damaged; choose another", "该版本无法读取：记录已损坏；请另选"
        )
        raise GridroomError(text) from error


def _texts(connection: Connection, id_: int) -> dict[str, str]:
    packed = connection.execute(select(config_version.c.files).where(config_version.c.id == id_)).scalar()
    if packed is None:
        raise GridroomError(Text(f"there is no version {id_}", f"没有版本 {id_}"))
    return _unpacked(packed)[0]


def _row(one: Any) -> VersionRow:
    rows = tuple(DifferenceRow(**{**form, "kind": Kind(form["kind"])}) for form in json.loads(one.difference))
    return VersionRow(one.id, one.hash, one.loaded, one.actor, one.origin, rows)


def _unwritable(path: Path, error: OSError) -> GridroomError:
    why, mend = error.strerror or str(error), mend_of(error)
    return GridroomError(Text(f"{path} cannot be written: {why}; {mend.en}", f"无法写入 {path}：{why}；{mend.zh}"))
