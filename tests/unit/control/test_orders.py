"""Orders of dispatch centres that are overtaken while their row is being written, or cannot be kept."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from app.control.judging import Judge
from app.control.orders import Orders
from app.model.audit import AuditEntry, Result
from app.model.control import GridOrder, Mode
from app.model.errors import StorageError
from app.model.text import Text
from tests.support.control_station import Bench, park

ORDER: dict[str, Any] = {"centre": "d1", "key": "northbound.d1.25089", "point": "pcs1.p_set", "value": 50.0}


class Audit:
    """Writes when it is told to."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []
        self.first: Future[int] = Future()

    def write(self, entry: AuditEntry, *, later: bool | None = None) -> Future[int]:
        self.entries.append(entry)
        done: Future[int] = Future()
        done.set_result(9)
        return self.first if len(self.entries) == 1 else done

    def told(self) -> list[tuple[str, int]]:
        return [(one.result, one.asks) for one in self.entries]


def taken(bench: Bench, audit: Audit, meanwhile: Any, error: StorageError | None = None) -> Text | None:
    async def decide(key: str, change: Any, *, tightens: bool) -> None:
        if error is not None:
            raise error
        change(bench.standing)

    async def execute(device: str, role: str) -> None:
        raise AssertionError("it is no command")

    async def run() -> Text | None:
        controller = bench.controller
        orders = Orders(
            lambda: controller, Judge(lambda: controller), audit, lambda: {"d1"},
            execute=execute, decide=decide, number=lambda: 1,
        )  # fmt: skip
        asked = asyncio.create_task(orders.take(GridOrder(peer="10.0.0.5", select=False, cancel=False, **ORDER)))
        await asyncio.sleep(0.01)
        meanwhile()
        audit.first.set_result(7)
        return await asked

    bench.cycle()
    return asyncio.run(run())


def test_a_person_who_takes_a_device_over_meanwhile_has_it(tmp_path: Path) -> None:
    bench, audit = Bench(park(tmp_path)), Audit()
    why = taken(bench, audit, lambda: bench.standing.modes.update(pcs1=Mode.MANUAL))
    assert why is not None and "not in auto" in why.en and bench.standing.orders == {}
    assert audit.told() == [(Result.ASKED, 0), (Result.FAILED, 7)], "the row is answered"


def test_what_cannot_be_kept_does_not_stand_and_its_row_is_answered(tmp_path: Path) -> None:
    bench, audit = Bench(park(tmp_path)), Audit()
    why = taken(bench, audit, lambda: None, StorageError(Text.of("the disk is full")))
    assert why is not None and "the disk is full" in why.en and bench.standing.orders == {}
    assert audit.told() == [(Result.ASKED, 0), (Result.FAILED, 7)]
    bench, audit = Bench(park(tmp_path / "b")), Audit()
    assert taken(bench, audit, lambda: None) is None and bench.standing.orders["pcs1.p_set"].value == 50
    assert audit.told() == [(Result.ASKED, 0), (Result.DONE, 7)]
