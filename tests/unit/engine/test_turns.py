"""Turns on a line: one at a time, commands first, equals in order, and nobody who gave up is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.turns import Precedence, Turns

COMMAND, POLL = Precedence.COMMAND, Precedence.POLL


class Line:
    """Requests that hold the line until the test lets them go."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.order: list[str] = []
        self.holding: list[str] = []
        self._done: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, name: str, precedence: Precedence = POLL) -> None:
        """Begin a request and let it come as far as it can."""
        self._done[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._request(name, precedence))
        await self.settle()

    async def answer(self) -> str:
        """The request that holds the line ends; returns its name."""
        (name,) = self.holding
        self._done[name].set()
        await self.settle()
        async with asyncio.timeout(2):
            await self._tasks.pop(name)
        return name

    def give_up(self, name: str) -> None:
        """Cancel it, without letting anything happen."""
        self._tasks[name].cancel()

    def let_go(self, name: str) -> None:
        """Its answer is there, without letting anything happen."""
        self._done[name].set()

    async def answer_all(self) -> None:
        while self.holding:
            await self.answer()

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def _request(self, name: str, precedence: Precedence) -> None:
        async with self.turns.turn(precedence):
            self.order.append(name)
            self.holding.append(name)
            assert len(self.holding) == 1, "two hold the line"
            try:
                await self._done[name].wait()
            finally:
                self.holding.remove(name)

    async def end(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


@asynccontextmanager
async def line() -> AsyncIterator[Line]:
    made = Line()
    try:
        yield made
    finally:
        await made.end()


@pytest.mark.asyncio
async def test_a_free_line_is_taken_at_once() -> None:
    turns = Turns()
    for _ in range(2):
        async with asyncio.timeout(1), turns.turn(POLL):
            pass


@pytest.mark.asyncio
async def test_equals_go_in_the_order_in_which_they_came() -> None:
    async with line() as bus:
        for name in "abcd":
            await bus.ask(name)
        await bus.answer_all()
        assert bus.order == list("abcd")


@pytest.mark.asyncio
async def test_commands_go_ahead_of_polls_but_break_off_none() -> None:
    async with line() as bus:
        await bus.ask("poll 1")
        await bus.ask("poll 2")
        await bus.ask("command 1", COMMAND)
        await bus.ask("poll 3")
        await bus.ask("command 2", COMMAND)
        assert bus.holding == ["poll 1"]
        await bus.answer_all()
        assert bus.order == ["poll 1", "command 1", "command 2", "poll 2", "poll 3"]


@pytest.mark.asyncio
async def test_who_gave_up_waiting_is_passed_over() -> None:
    async with line() as bus:
        for name in "abc":
            await bus.ask(name)
        bus.give_up("b")
        await bus.settle()
        await bus.answer_all()
        assert bus.order == ["a", "c"]


@pytest.mark.asyncio
async def test_who_gives_up_while_holding_passes_the_line_on() -> None:
    async with line() as bus:
        for name in "ab":
            await bus.ask(name)
        bus.give_up("a")
        await bus.settle()
        assert bus.holding == ["b"]


@pytest.mark.asyncio
async def test_who_gives_up_at_the_moment_it_gets_the_line_passes_it_on() -> None:
    """The turn was handed over, but the waiter is cancelled before it could notice."""
    async with line() as bus:
        for name in "abc":
            await bus.ask(name)
        bus.let_go("a")
        while bus.holding:  # noqa: ASYNC110 (until `a` has just released the line to `b`, and not a round longer)
            await asyncio.sleep(0)
        bus.give_up("b")
        await bus.settle()
        assert bus.holding == ["c"] and "b" not in bus.order
        await bus.answer_all()
        await bus.ask("d")
        assert bus.holding == ["d"], "the line is free again"


@pytest.mark.asyncio
async def test_a_request_that_fails_passes_the_line_on() -> None:
    turns = Turns()
    with pytest.raises(ZeroDivisionError):
        async with turns.turn(POLL):
            raise ZeroDivisionError
    async with asyncio.timeout(1), turns.turn(POLL):
        pass


ORDERLY = st.lists(
    st.tuples(st.sampled_from(["ask", "ask", "answer", "give up"]), st.integers(0, 9), st.sampled_from(Precedence)),
    max_size=40,
)


@given(ORDERLY)
def test_the_next_is_the_first_command_else_the_first_poll(steps: list[tuple[str, int, Precedence]]) -> None:
    """Against a model: a holder, and a list of who waits."""

    async def play() -> None:
        async with line() as bus:
            holder = ""
            waiting: list[tuple[Precedence, int, str]] = []
            for number, (what, which, precedence) in enumerate(steps):
                names = [*([holder] if holder else []), *(name for _, _, name in waiting)]
                name = f"request {number}" if what == "ask" else names[which % len(names)] if names else ""
                if what == "ask":
                    waiting.append((precedence, number, name))
                    await bus.ask(name, precedence)
                elif what == "answer" and holder:
                    await bus.answer()
                    holder = ""
                elif what == "give up" and name:
                    bus.give_up(name)
                    await bus.settle()
                    waiting = [row for row in waiting if row[2] != name]
                    holder = "" if name == holder else holder
                if not holder and waiting:
                    holder = waiting.pop(waiting.index(min(waiting)))[2]
                assert bus.holding == ([holder] if holder else [])

    asyncio.run(play())


HASTY = st.lists(
    st.tuples(st.sampled_from(["end", "give up"]), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12
)


@given(st.lists(st.sampled_from(Precedence), min_size=4, max_size=4), HASTY)
def test_at_whatever_moment_requests_end_or_are_given_up_nobody_is_forgotten(
    asked: list[Precedence], steps: list[tuple[str, int, int]]
) -> None:
    """Steps some rounds of the loop apart, so that they fall into the midst of handing over."""

    async def play() -> None:
        turns, holding = Turns(), 0

        async def request(precedence: Precedence, end: asyncio.Event) -> None:
            nonlocal holding
            async with turns.turn(precedence):
                holding += 1
                assert holding == 1, "two hold the line"
                try:
                    await end.wait()
                finally:
                    holding -= 1

        ends = [asyncio.Event() for _ in asked]
        tasks = [asyncio.create_task(request(*one)) for one in zip(asked, ends, strict=True)]
        for what, which, rounds in [("", 0, 1), *steps]:
            if what == "end":
                ends[which].set()
            elif what == "give up":
                tasks[which].cancel()
            for _ in range(rounds):
                await asyncio.sleep(0)
        for end in ends:
            end.set()
        done, forgotten = await asyncio.wait(tasks, timeout=0.5)
        for task in forgotten:
            task.cancel()
        assert not forgotten
        assert all(task.cancelled() or task.exception() is None for task in done)
        async with asyncio.timeout(2), turns.turn(POLL):  # the line is free
            pass

    asyncio.run(play())
