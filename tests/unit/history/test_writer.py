"""What happens when the disk refuses: nothing acknowledged is lost, nothing stands twice, and it is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from app.history.hot import HotStore
from app.history.layout import Hour
from app.history.recorder import Commit
from tests.support.history_station import QUICK, Site, gaps, plain, seconds, until

ROOT = Path(__file__).resolve().parents[3]


def values(site: Site) -> list[float]:
    return site.ask("a", start_s=-1, end_s=3600, pixels=100_000)[0].mean.tolist()


def refuse(monkeypatch: pytest.MonkeyPatch, how: Callable[[HotStore, Hour, Commit], None]) -> None:
    monkeypatch.setattr(HotStore, "commit", how)


def test_while_commits_fail_samples_wait_and_are_all_stored_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(store: HotStore, hour: Hour, commit: Commit) -> None:
        raise duckdb.TransactionException("Failed to commit: No space left on device")

    with Site(tmp_path, plain("a")) as site:
        site.step({"a": 0.0})
        refuse(monkeypatch, fail)
        for k in range(1, 50):
            site.step({"a": float(k)})
        until(lambda: site.standing() == {"history.storage"}, "told")
        assert "No space left" in site.history.state()
        assert values(site) == [0.0]
        monkeypatch.undo()
        until(lambda: site.history.state() == "ok", "well again")
        assert values(site) == [float(k) for k in range(50)]
        assert gaps(site.ask("a", start_s=0, end_s=49)[0]) == []


def test_a_commit_that_failed_after_it_was_stored_is_not_stored_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = HotStore.commit
    failed: list[int] = []

    def stored_but(store: HotStore, hour: Hour, commit: Commit) -> None:
        real(store, hour, commit)
        if commit.rows and not failed:
            failed.append(1)
            raise duckdb.FatalException("Failed to create checkpoint")

    with Site(tmp_path, plain("a")) as site:
        site.step({"a": 0.0})
        refuse(monkeypatch, stored_but)
        site.step({"a": 1.0})
        until(lambda: bool(failed) and site.history.state() == "ok", "well again")
        site.step({"a": 2.0})
        assert values(site) == [0.0, 1.0, 2.0]


def test_a_spoiled_store_is_reopened_and_readers_do_not_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = HotStore.commit
    spoiled: list[int] = []

    def spoil(store: HotStore, hour: Hour, commit: Commit) -> None:
        if not spoiled:
            spoiled.append(1)
            store._writer.close()
        real(store, hour, commit)

    with Site(tmp_path, plain("a")) as site:
        site.step({"a": 0.0})
        refuse(monkeypatch, spoil)
        site.put({"a": 1.0})
        until(lambda: bool(spoiled), "spoiled")
        assert values(site) in ([0.0], [0.0, 1.0])
        until(lambda: site.history.state() == "ok", "well again")
        assert values(site) == [0.0, 1.0]


def test_when_memory_is_full_as_well_the_run_ends_there_and_a_gap_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(store: HotStore, hour: Hour, commit: Commit) -> None:
        raise duckdb.IOException("disk full")

    with Site(tmp_path, plain("a", "b"), replace(QUICK, pending_rows=20)) as site:
        site.step({"a": -1.0})
        refuse(monkeypatch, fail)
        for k in range(30):
            site.step({"a": float(k), "b": float(k)})
        until(lambda: "history.lost" in site.standing(), "told that samples are lost")
        monkeypatch.undo()
        until(lambda: site.history.state() == "ok", "well again")
        site.step({"a": 100.0})
        series = site.ask("a", start_s=0, end_s=40)[0]
        kept = series.mean.tolist()
        assert kept[:11] == [-1.0, *map(float, range(10))]
        assert kept[-1] == 100.0
        assert len(kept) < 31
        (gap,) = gaps(series)
        assert gap[0] >= seconds(series)[-2]
        assert gap[1] == seconds(series)[-1]


def test_little_space_is_an_alarm_and_none_pauses_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.history import writer

    free = [5_000_000_000]
    usage = type("Usage", (), {"free": property(lambda self: free[0])})
    monkeypatch.setattr(writer.shutil, "disk_usage", lambda path: usage())
    monkeypatch.setattr(writer, "_SPACE_LOOK_S", 0.0)
    with Site(tmp_path, plain("a"), replace(QUICK, low_space_mb=1000, no_space_mb=100)) as site:
        site.step({"a": 0.0})
        assert site.history.state() == "ok"
        free[0] = 500_000_000
        site.step({"a": 1.0})
        assert site.standing() == {"history.space"}
        assert values(site) == [0.0, 1.0]
        free[0] = 50_000_000
        site.step({"a": 2.0})
        assert site.standing() == {"history.space", "history.storage"}
        said = next(text for key, text in reversed(site.troubles) if key == "history.storage")
        assert said is not None and "（所在磁盘剩余空间不足 100 MB）" in said.zh and "(less than 100 MB" in said.en
        assert values(site) == [0.0, 1.0]
        free[0] = 5_000_000_000
        until(lambda: not site.standing(), "well again")
        assert values(site) == [0.0, 1.0, 2.0]


@pytest.mark.expects_errors
def test_a_fault_of_our_own_is_told_and_does_not_end_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.history.tiers import Tiers

    def fault(*_: Any) -> None:
        raise ZeroDivisionError("a fault")

    with Site(tmp_path, plain("a")) as site:
        site.step({"a": 0.0}, seconds=2)
        monkeypatch.setattr(Tiers, "feed", fault)
        site.step({"a": 1.0}, seconds=2)
        until(lambda: "history.fault" in [key for key, _ in site.troubles], "told")
        monkeypatch.undo()
        site.step({"a": 2.0}, seconds=2)
        assert values(site)[-1] == 2.0
        until(lambda: site.history.state() == "ok", "well again")


FULL = """
import json, os, resource, signal, sys
from pathlib import Path
from tests.support.history_station import QUICK, Site, plain, until
from dataclasses import replace

folder, kind = Path(sys.argv[1]), sys.argv[2]
names = [f"p{i}" for i in range(2000)]
troubles = []
with Site(folder, plain(*names, precision=None), replace(QUICK, pending_rows=10_000_000)) as site:
    import numpy as np
    rng = np.random.default_rng(1)
    def step():
        site.put(dict(zip(names, rng.random(2000).tolist())))
        site.settle()
        site.clock.advance(1)
    step()
    limit = None
    if kind == "limit":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, resource.RLIM_INFINITY))
    else:
        filler = folder / "filler"
        size = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize - 3_000_000
        filler.write_bytes(bytes(size))
    fed = 1
    while site.history.state() == "ok" and fed < 400:
        step()
        fed += 1
    full = site.history.state()
    for _ in range(20):
        step()
        fed += 1
    still = site.history.state()
    seen_while_full = len(site.ask("p0", start_s=-1, end_s=3600, pixels=100000)[0].time)
    if kind == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    else:
        filler.unlink()
    until(lambda: site.history.state() == "ok", "well again", 60)
    site.settle()
    after = len(site.ask("p0", start_s=-1, end_s=3600, pixels=100000)[0].time)
with Site(folder, plain(*names, precision=None)) as site:
    again = [len(s.time) for s in site.ask("p0", "p1999", start_s=-1, end_s=3600, pixels=100000)]
print(json.dumps({"fed": fed, "full": full, "still": still, "seen": seen_while_full, "after": after, "again": again,
                  "keys": sorted(site.standing())}))
"""


def run_full(folder: Path, kind: str) -> dict[str, Any]:
    result = subprocess.run(
        [sys.executable, "-c", FULL, str(folder), kind],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def check_full(found: dict[str, Any]) -> None:
    assert "cannot be written" in found["full"]
    assert "cannot be written" in found["still"]
    assert 0 < found["seen"] < found["fed"]
    assert found["after"] == found["fed"]
    assert found["again"] == [found["fed"]] * 2
    assert found["keys"] == []


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_disk_that_takes_no_more_loses_nothing(tmp_path: Path) -> None:
    """A limit on file sizes stands in for a full disk: the write-ahead log fails first, or the checkpoint."""
    check_full(run_full(tmp_path, "limit"))


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small disk")
def test_a_really_full_disk_loses_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(disk)], check=True)
    try:
        check_full(run_full(disk, "disk"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
