"""What people decide is kept before it is done where it loosens, and at once where it tightens; the latest holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from app.control.kept import UNWRITTEN, Keeper, load, save
from app.control.standing import Standing
from app.model.clock import ManualClock
from app.model.control import Mode
from app.model.errors import StorageError
from app.model.text import Text
from tests.support.control_dispatch import Told


class Disk:
    """Writes when it may; fails where it is full."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        self.full = False

    def save(self, file: Path, text: str) -> None:
        asyncio.run_coroutine_threadsafe(self.may.wait(), self.loop).result(10)
        if self.full:
            raise StorageError(Text.of("the disk is full"))
        save(file, text)


class Case:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file, self.standing, self.told, self.clock = folder / "control.json", Standing(), Told(), ManualClock()
        self.keeper, self.disk = Keeper(self.file, self.clock, self.told, lambda: self.standing), Disk()
        monkeypatch.setattr("app.control.kept.save", self.disk.save)

    def set(self, mode: Mode) -> Callable[[Standing], None]:
        return lambda standing: setattr(standing, "mode", mode)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Case], Awaitable[None]]], None]:
    async def whole(told: Callable[[Case], Awaitable[None]]) -> None:
        await told(Case(tmp_path, monkeypatch))

    return lambda told: asyncio.run(whole(told))


Run = Callable[[Callable[[Case], Awaitable[None]]], None]


def test_what_loosens_is_done_when_it_is_on_the_disk_and_not_before(run: Run) -> None:
    async def told(case: Case) -> None:
        case.standing.mode = Mode.OFF
        asked = asyncio.create_task(case.keeper.keep_first("mode", case.set(Mode.AUTO)))
        await asyncio.sleep(0.05)
        assert case.standing.mode is Mode.OFF
        case.disk.may.set()
        await asked
        assert case.standing.mode is Mode.AUTO and load(case.file).mode is Mode.AUTO

    run(told)


def test_what_cannot_be_written_is_not_done(run: Run) -> None:
    async def told(case: Case) -> None:
        case.standing.mode, case.disk.full = Mode.OFF, True
        case.disk.may.set()
        with pytest.raises(StorageError):
            await case.keeper.keep_first("mode", case.set(Mode.AUTO))
        assert case.standing.mode is Mode.OFF and not case.file.exists()

    run(told)


def test_who_tightens_meanwhile_has_the_last_word(run: Run) -> None:
    async def told(case: Case) -> None:
        asked = asyncio.create_task(case.keeper.keep_first("mode", case.set(Mode.MANUAL)))
        await asyncio.sleep(0.05)
        case.keeper.decided("mode")
        case.standing.mode = Mode.OFF
        then = asyncio.create_task(case.keeper.keep())
        case.disk.may.set()
        await asked
        await then
        assert case.standing.mode is Mode.OFF and load(case.file).mode is Mode.OFF

    run(told)


def test_of_two_that_wait_the_later_one_holds_and_what_has_no_key_all_do(run: Run) -> None:
    async def told(case: Case) -> None:
        modes = [
            asyncio.create_task(case.keeper.keep_first("mode", case.set(mode))) for mode in (Mode.MANUAL, Mode.AUTO)
        ]
        tags = [
            asyncio.create_task(case.keeper.keep_first("", lambda standing, n=n: standing.tags.update({n: "work"})))
            for n in ("pcs1", "pcs2")
        ]  # fmt: skip
        case.disk.may.set()
        await asyncio.gather(*modes, *tags)
        assert case.standing.mode is Mode.AUTO and set(case.standing.tags) == {"pcs1", "pcs2"}
        assert load(case.file) == case.standing

    run(told)


def test_what_is_called_off_while_it_is_written_is_mended(run: Run) -> None:
    async def told(case: Case) -> None:
        asked = asyncio.create_task(case.keeper.keep_first("mode", case.set(Mode.MANUAL)))
        await asyncio.sleep(0.05)
        asked.cancel()
        case.disk.may.set()
        await asyncio.gather(asked, return_exceptions=True)
        assert case.standing.mode is Mode.AUTO and case.keeper.is_due()
        await case.keeper.keep_by_itself()
        assert load(case.file).mode is Mode.AUTO and not case.keeper.is_due()

    run(told)


@pytest.mark.expects_errors
def test_what_nobody_waits_for_is_tried_again(run: Run) -> None:
    async def told(case: Case) -> None:
        case.disk.full = True
        case.disk.may.set()
        await case.keeper.keep_by_itself()
        assert case.told.true() == {UNWRITTEN} and not case.keeper.is_due()
        case.clock.advance(6.0)
        assert case.keeper.is_due()
        case.disk.full = False
        await case.keeper.keep_by_itself()
        assert not case.told.true() and not case.keeper.is_due() and load(case.file) == case.standing

    run(told)
