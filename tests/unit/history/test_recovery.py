"""Whatever a crash or a bad sector left behind, the station starts, says what is missing, and keeps the rest."""

from __future__ import annotations

import json
import math
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.history import recovery
from tests.support.history_station import START_NS, Site, plain, until

ROOT = Path(__file__).resolve().parents[3]

KILLED = """
import os, signal, sys
from pathlib import Path
from tests.support.history_station import Site, plain
site = Site(Path(sys.argv[1]), plain("a"))
for k in range(40):
    site.step({"a": float(k)})
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a kill left it, 40 samples in the write-ahead log."""
    folder = tmp_path_factory.mktemp("killed") / "data"
    subprocess.run([sys.executable, "-c", KILLED, str(folder)], cwd=ROOT, check=False, capture_output=True)
    assert (folder / "history.duckdb.wal").stat().st_size > 4000
    return folder


def copied(killed: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    shutil.copytree(killed, folder)
    return folder


def values(site: Site) -> list[float]:
    return site.ask("a", start_s=-1, end_s=3600, pixels=100_000)[0].mean.tolist()


def test_after_a_kill_everything_that_was_acknowledged_is_there(killed: Path, tmp_path: Path) -> None:
    with Site(copied(killed, tmp_path), plain("a")) as site:
        assert values(site) == [float(k) for k in range(40)]
        assert site.history.state() == "ok"
        assert site.history.last_values()["d.a"] == (39.0, 0, START_NS + 39 * 10**9)


def flip(wal: bytearray, rng: random.Random) -> None:
    wal[rng.randrange(len(wal))] ^= 1 << rng.randrange(8)


def cut(wal: bytearray, rng: random.Random) -> None:
    del wal[rng.randrange(len(wal)) :]


def wipe(wal: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(wal))
    wal[start : start + 512] = bytes(len(wal[start : start + 512]))


@pytest.mark.parametrize("harm", [flip, cut, wipe])
@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_log_costs_what_is_damaged_and_an_alarm_but_no_start(
    killed: Path, tmp_path: Path, harm: Callable[[bytearray, random.Random], None], seed: int
) -> None:
    folder = copied(killed, tmp_path)
    wal = folder / "history.duckdb.wal"
    content = bytearray(wal.read_bytes())
    harm(content, random.Random(seed))
    wal.write_bytes(content)
    with Site(folder, plain("a")) as site:
        found = values(site)
        assert found == [float(k) for k in range(len(found))]  # what stood before the damage
        aside = list(folder.glob("history.duckdb.wal.broken-*"))
        assert site.standing() == ({"history.wal"} if aside else set())
        assert found  # each of these harms is done well behind the beginning
        assert bool(aside) == (harm is not cut)  # a log that ends early is what every kill leaves
        if aside:
            assert aside[0].read_bytes() == content
            assert aside[0].name in site.history.state()
        site.clock.set_wall(START_NS + 100 * 10**9)
        site.step({"a": 1000.0})
        assert values(site) == [*found, 1000.0]
    with Site(folder, plain("a")) as again:
        assert again.history.state() == "ok"  # told once


def test_a_log_of_nonsense_is_set_aside(killed: Path, tmp_path: Path) -> None:
    for number, nonsense in enumerate((b"x" * 5000, b"\0" * 100)):
        folder = copied(killed, tmp_path / str(number))
        (folder / "history.duckdb.wal").write_bytes(nonsense)
        with Site(folder, plain("a")) as site:
            site.step({"a": 5.0})
            assert values(site)[-1] == 5.0


@pytest.mark.parametrize("harm", ["head", "all", "empty", "middle"])
def test_a_database_that_is_none_is_set_aside_and_what_was_closed_is_still_there(tmp_path: Path, harm: str) -> None:
    folder = tmp_path / "data"
    with Site(folder, plain("a", "b")) as site:
        site.step({"b": 1.0})
        site.clock.set_wall(START_NS + 3600 * 10**9)
        site.settle()
        site.step({"b": 2.0})
        until(lambda: bool(site.raw_files()), "closed")
    file = folder / "history.duckdb"
    content = bytearray(file.read_bytes())
    if harm == "empty":
        content = bytearray()
    elif harm == "all":
        content = bytearray(random.Random(1).randbytes(len(content)))
    elif harm == "head":
        content[:8192] = bytes(8192)
    else:
        content[12_288:] = bytes(len(content) - 12_288)
    file.write_bytes(content)
    with Site(folder, plain("a", "b")) as again:
        again.clock.set_wall(START_NS + 7200 * 10**9)
        again.settle()
        again.step({"b": 3.0})
        series = again.ask("b", start_s=0, end_s=8000, pixels=100_000)[0]
        assert series.mean.tolist() == [1.0, 3.0]  # b is still b: its id did not go with the database
        if harm != "empty":
            assert again.standing() == {"history.database"}
            assert "of its 0 tables" not in again.history.state()
            assert len(list(folder.glob("history.duckdb.broken-*"))) == 1


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a station that stopped in good order, 300 samples of 50 points in its database."""
    folder = tmp_path_factory.mktemp("filled") / "data"
    names = [f"p{i}" for i in range(50)]
    rng = random.Random(3)
    with Site(folder, plain(*names, precision=None)) as site:
        for _ in range(300):
            site.step({name: rng.random() for name in names})
    return folder


def test_a_damaged_block_costs_what_is_in_it_and_an_alarm_but_no_start(filled: Path, tmp_path: Path) -> None:
    station = plain(*(f"p{i}" for i in range(50)), precision=None)
    whole = (filled / "history.duckdb").read_bytes()
    outcomes: dict[tuple[str, ...], list[int]] = {}
    for number, place in enumerate(range(20_000, len(whole), 90_000)):
        folder = tmp_path / str(number)
        shutil.copytree(filled, folder)
        content = bytearray(whole)
        content[place] ^= 0x40
        (folder / "history.duckdb").write_bytes(content)
        with Site(folder, station) as site:
            site.clock.set_wall(START_NS + 400 * 10**9)
            site.settle()
            site.step({"p7": 5.0})
            site.clock.set_wall(START_NS + 3600 * 10**9)  # some damage shows when the hour is closed
            site.settle()
            until(lambda site=site: bool(site.raw_files()), "closed, mended or not")  # type: ignore[misc]
            found = site.ask("p7", start_s=-1, end_s=3600, pixels=100_000)[0].mean.tolist()
            assert found[-1] == 5.0
            outcomes.setdefault(tuple(sorted(site.standing())), []).append(len(found))
        assert len(list(folder.glob("history.duckdb.broken-*"))) <= 2  # the file, and perhaps its log
    assert set(outcomes) <= {(), ("history.database",), ("history.closing", "history.database")}
    mended = outcomes.get(("history.database",), [])
    assert mended
    assert max(mended) == 301  # other tables' blocks cost no sample


@pytest.mark.parametrize("share", [0.005, 0.3, 0.6, 0.99])
def test_a_truncated_database_is_called_so_and_the_station_records_on(
    filled: Path, tmp_path: Path, share: float
) -> None:
    """It left a station without a history, for what could not be read was not taken for damage."""
    folder = copied(filled, tmp_path)
    file = folder / "history.duckdb"
    with file.open("r+b") as database:
        database.truncate(round(file.stat().st_size * share))
    with Site(folder, plain(*(f"p{k}" for k in range(50)))) as site:
        assert site.standing() == {"history.database"}
        assert "history.duckdb was truncated and is set aside as" in site.history.state()
        site.clock.set_wall(START_NS + 400 * 10**9)
        site.settle()
        site.step({"p7": 5.0})
        assert site.ask("p7", start_s=-1, end_s=3600, pixels=100_000)[0].mean.tolist()[-1] == 5.0


def test_without_the_table_of_ids_the_copy_serves(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Site(folder, plain("a", "b")) as site:
        site.step({"a": 1.0, "b": 2.0})
    (folder / "history" / "points.csv").unlink()
    with Site(folder, plain("b", "c", "a")) as again:
        assert again.ask("b", start_s=0, end_s=1)[0].mean.tolist() == [2.0]
    assert (folder / "history" / "points.csv").read_text() == "id,name\n0,d.a\n1,d.b\n2,d.c\n"


def test_without_ids_at_all_old_rows_are_nobodys_and_new_ones_do_not_mix_with_them(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Site(folder, plain("a", "b")) as site:
        site.step({"a": 1.0, "b": 2.0})
        site.clock.set_wall(START_NS + 3600 * 10**9)
        site.settle()
        until(lambda: bool(site.raw_files()), "closed")
    (folder / "history" / "points.csv").unlink()
    (folder / "history.duckdb").unlink()
    with Site(folder, plain("b", "a")) as again:
        again.clock.set_wall(START_NS + 3700 * 10**9)
        again.settle()
        again.step({"a": 10.0, "b": 20.0})
        assert again.ask("b", start_s=0, end_s=4000, pixels=100_000)[0].mean.tolist() == [20.0]


def test_broken_run_intervals_are_taken_from_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Site(folder, plain("a")) as site:
        for k in range(5):
            site.step({"a": float(k)})
        site.clock.set_wall(START_NS + 3600 * 10**9)
        site.settle()
        until(lambda: bool(site.raw_files()), "closed")
    (folder / "history" / "runs.csv").write_bytes(b"\xff")
    with Site(folder, plain("a")) as again:
        assert again.standing() == {"history.runs"}
        assert again.ask("a", start_s=0, end_s=4)[0].gaps.tolist() == []


CRASHES = """
import os, sys
from pathlib import Path
from app.history import recovery
from app.history.hot import FILE_NAME
from app.history.trouble import Troubles
from app.model.clock import SystemClock

def aborts(path, memory_mb):
    if path.with_name(path.name + ".wal").exists():
        os.abort()
    return real(path, memory_mb)

real = recovery._plain
recovery._plain = aborts
recovery._try_to_open = os.abort
recovery.open_store(Path(sys.argv[1]), 64, SystemClock(), Troubles(lambda key, text: print(key))).close()
print("open")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows shows a dialog on abort")
def test_a_log_whose_replay_ends_the_process_stops_one_start_at_most(
    killed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(killed, tmp_path)
    first = subprocess.run(
        [sys.executable, "-c", CRASHES, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert first.returncode != 0
    assert (folder / "history.duckdb.opening").exists()
    # Another process that tries it does not come back either, so it is not tried here again.
    monkeypatch.setattr(recovery, "_opens_elsewhere", lambda path: False)
    with Site(folder, plain("a")) as site:
        assert site.standing() == {"history.wal"}
    assert not (folder / "history.duckdb.opening").exists()


def test_a_kill_while_opening_costs_nothing(killed: Path, tmp_path: Path) -> None:
    """The mark of an opening that never ended is there, but the log can be replayed, as another process finds."""
    folder = copied(killed, tmp_path)
    (folder / "history.duckdb.opening").touch()
    with Site(folder, plain("a")) as site:
        assert len(values(site)) == 40
        assert site.history.state() == "ok"


def test_a_trial_that_fails_without_a_crash_costs_nothing(
    killed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process may lack memory or a module; only one that crashed says something of the log."""
    folder = copied(killed, tmp_path)
    (folder / "history.duckdb.opening").touch()
    monkeypatch.setattr(recovery, "_try_to_open", math.sqrt)  # a path has none: the process ends with 1
    with Site(folder, plain("a")) as site:
        assert len(values(site)) == 40
        assert site.history.state() == "ok"


def test_when_the_store_cannot_be_opened_for_now_the_station_runs_and_it_is_tried_again(tmp_path: Path) -> None:
    tmp_path.joinpath("history").write_text("in the way")
    with Site(tmp_path, plain("a")) as site:
        assert site.standing() == {"history.storage"}
        site.put({"a": 1.0})  # nothing to keep it in
        tmp_path.joinpath("history").unlink()
        until(lambda: site.history.state() == "ok", "opened")
        site.step({"a": 2.0})
        assert values(site) == [2.0]


@pytest.mark.slow
def test_a_log_damaged_at_any_byte_never_stops_a_start(killed: Path, tmp_path: Path) -> None:
    whole = (killed / "history.duckdb.wal").read_bytes()
    rng = random.Random(7)
    outcomes: dict[str, int] = {}
    for number in range(400):
        folder = copied(killed, tmp_path / str(number))
        content = bytearray(whole)
        rng.choice([flip, cut, wipe])(content, rng)
        (folder / "history.duckdb.wal").write_bytes(content)
        with Site(folder, plain("a")) as site:
            found = values(site)
            assert found == [float(k) for k in range(len(found))]
            outcomes[json.dumps(sorted(site.standing()))] = outcomes.get(json.dumps(sorted(site.standing())), 0) + 1
        shutil.rmtree(folder)
    assert set(outcomes) == {"[]", '["history.wal"]'}
