"""Killed at any moment: what was acknowledged is there once, and the next start needs no hand.

The killed process writes through a pipe what it acknowledges, so that the oracle outlives it.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.history.layout import Tier
from app.history.opening import open_archive
from app.history.schema import file_list
from app.model.clock import ManualClock
from tests.support.history_station import QUICK, SECOND_NS, START_NS, Site, plain

ROOT = Path(__file__).resolve().parents[3]
NAMES = [f"p{i}" for i in range(20)]

VICTIM = """
import sys
from pathlib import Path
import numpy as np
from app.model.clock import ManualClock
from app.model.updates import Updates
from tests.support.history_station import START_NS, SECOND_NS, Site, plain

folder, first = Path(sys.argv[1]), int(sys.argv[2])
names = [f"p{i}" for i in range(20)]
clock = ManualClock(START_NS + first * 7 * SECOND_NS)
print("opening", first, flush=True)
site = Site(folder, plain(*names, scan="2s"), clock=clock)
batch = first
while True:
    # Each batch is one number; its rows are in one transaction. An hour goes by in about 500 batches.
    now = clock.now_ns()
    site.history.take(Updates.of(np.arange(20), float(batch), 0, now, now))
    print("taken", batch, flush=True)
    site.history.flush().result()
    if site.history.state() != "ok":
        print("trouble", site.history.state(), flush=True)
    print("acknowledged", batch, flush=True)
    clock.advance(7)
    batch += 1
"""


def cycle(folder: Path, first: int, after_s: float) -> tuple[int, int, list[str]]:
    """Run the victim from batch `first`, kill it after a while. Returns (acknowledged up to, taken up to, troubles)."""
    with subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(folder), str(first)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as victim:
        assert victim.stdout is not None
        started = victim.stdout.readline()
        time.sleep(after_s)
        victim.kill()
        lines = [started, *victim.stdout.read().splitlines()]
    acknowledged = [int(line.split()[1]) for line in lines if line.startswith("acknowledged") and line.split()[1:]]
    taken = [int(line.split()[1]) for line in lines if line.startswith("taken") and line.split()[1:]]
    return (
        max(acknowledged, default=first - 1), max(taken, default=first - 1),
        [line for line in lines if line.startswith("trouble")],
    )  # fmt: skip


def check(folder: Path, acknowledged: set[int], taken: set[int]) -> set[int]:
    """Open the folder once more, and compare. Returns the batches that are there."""
    end = max(taken) + 1
    with Site(folder, plain(*NAMES, scan="2s")) as site:
        site.clock.set_wall(START_NS + end * 7 * SECOND_NS)
        site.settle()
        site.rebuilt()
        series = site.history.query([f"d.{name}" for name in NAMES], START_NS, site.clock.now_ns(), 10_000_000).result()
        assert site.history.state() == "ok"
    found = [sorted(s.mean.tolist()) for s in series]
    assert all(one == found[0] for one in found), "a batch is there in part"
    assert len(found[0]) == len(set(found[0])), "a batch is there twice"
    there = {int(value) for value in found[0]}
    assert acknowledged <= there, f"lost: {sorted(acknowledged - there)[:10]}"
    assert there <= taken
    return there


def campaign(folder: Path, cycles: int, seed: int) -> None:
    rng = random.Random(seed)
    acknowledged: set[int] = set()
    taken: set[int] = set()
    first = 0
    for number in range(cycles):
        # From the very first moment, while it opens, closes and rebuilds, to well into the run.
        acked_to, taken_to, troubles = cycle(folder, first, rng.choice([0.05, 0.1, 0.3, 0.6]) * rng.random())
        assert not troubles
        acknowledged |= set(range(first, acked_to + 1))
        taken |= set(range(first, taken_to + 1))
        # Every batch jumps on, so that hours end often and kills fall into closing as well.
        first = taken_to + 1 + rng.randrange(200)
        if taken and number % 10 == 9:
            check(folder, acknowledged, taken)
            first += 10
    assert acknowledged
    there = check(folder, acknowledged, taken)
    counts(folder, there)


def counts(folder: Path, there: set[int]) -> None:
    """Hour buckets, most of them rebuilt after a kill, count each stored update once.

    Of tables and files those are counted that are seen: stopped at the right moment, an hour stands in both.
    """
    archive = open_archive(folder, plain(*NAMES, scan="2s"), ManualClock(START_NS), QUICK)
    try:
        view = archive.catalogue.view
        sources = [f"SELECT count FROM {hour.buckets} WHERE point = 3 AND tier = 4" for hour in view.hours]
        files = [block.path for block in view.blocks if block.tier is Tier.H1]
        sources += [f"SELECT count FROM read_parquet({file_list([file])}) WHERE point = 3" for file in files]
        with archive.store.cursor() as cursor:
            total = cursor.execute(f"SELECT sum(count) FROM ({' UNION ALL '.join(sources)})").fetchall()[0][0]
    finally:
        archive.store.close()
    assert total == len(there)


def test_killed_again_and_again_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path) -> None:
    campaign(tmp_path / "data", 22, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_killed_a_thousand_times(tmp_path: Path, seed: int) -> None:
    campaign(tmp_path, 50, seed=100 + seed)
