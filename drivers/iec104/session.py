"""One worker at work: its notes and values taken in, activations sent and followed to their end."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from typing import Any, Final, NoReturn, Protocol

from app.model.errors import DeviceError, TransportError
from app.model.text import Text
from drivers.iec104.asdu import Columns, Control, not_read
from drivers.iec104.messages import Note
from drivers.iec104.outcomes import Outcome
from drivers.iec104.process import Worker
from drivers.iec104.typeids import END_OF_INITIALISATION

log = logging.getLogger("gridroom.iec104")

MOST_EARLIER: Final = 8
"""Orders at one address that are remembered because their answer did not come in time."""
MOST_FAULTS: Final = 50
"""Different faults that are counted each by itself."""
CLOSED_HERE: Final = Text("the line was closed", "线路已关闭")
_OTHER: Final = Text("other faults", "其他错误")
_TOO_BIG: Final = Text("its worker process took too much memory at once", "工作进程启动后内存占用过大")
_CONFIRMED: Final = Text("confirmed", "激活确认")
_ENDED: Final = Text("ended by an activation termination", "激活终止")
_SELECTED: Final = Text("; its selection was confirmed", "；选择已确认")
_UNKNOWN: Final = Text("it is not known whether it was taken", "无法确定是否已执行")


class Retired(Exception):
    """The worker ended because its memory had grown; another one shall go on."""


class Watcher(Protocol):
    """Who is told what a session sees."""

    def values(self, columns: Columns, received_ns: int) -> None: ...

    def initialised(self, ca: int) -> None:
        """A station says that it has just started."""

    def switched(self) -> None:
        """Data comes over another connection than before."""


class Session:
    """From the start of a worker to its end."""

    def __init__(self, worker: Worker, watcher: Watcher) -> None:
        self.worker = worker
        self.faults = Counter[Text]()
        """Why ASDUs could not be read -> how many."""
        self.started = False
        self._watcher = watcher
        self._outcomes: dict[tuple[int, int, int], Outcome] = {}
        self._turns: defaultdict[tuple[int, int, int], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._busy: dict[tuple[int, int, int], asyncio.Event] = {}
        """Where the library still works on an activation. It takes no second one there."""
        self._earlier: defaultdict[tuple[int, int, int], deque[bytes]] = defaultdict(lambda: deque(maxlen=MOST_EARLIER))
        """What was ordered and not answered in time."""
        self._lost: Text | None = None

    @staticmethod
    async def open(order: Mapping[str, Any], watcher: Watcher) -> Session:
        """Returns when data transfer has been started. Raises TransportError."""
        session = Session(await Worker.start(order), watcher)
        try:
            while not session.started:
                await session._step()
        except BaseException as error:
            await session.close()
            if isinstance(error, Retired):
                raise TransportError(_TOO_BIG) from None
            raise
        return session

    async def run(self) -> NoReturn:
        """Take in what comes. Raises TransportError when the line is lost, Retired when the worker gives way."""
        try:
            while True:
                await self._step()
                await asyncio.sleep(0)  # where much waits, others have a turn between two batches
        except BaseException as error:
            self._lose(error.text if isinstance(error, DeviceError) else CLOSED_HERE)
            raise

    async def close(self) -> None:
        """End the worker."""
        self._lose(CLOSED_HERE)
        await self.worker.close()

    def _lose(self, why: Text) -> None:
        self._lost = self._lost or why
        for outcome in self._outcomes.values():
            outcome.confirmed.set()
            outcome.ended.set()
        for done in self._busy.values():
            done.set()

    # ------------------------------------------------------------------------------------------------- taking in

    async def _step(self) -> None:
        came = await self.worker.receive()
        if isinstance(came, tuple):
            self._watcher.values(*came)
            return
        match came.get("note"):
            case "control":
                self._control(came)
            case "done":
                if (done := self._busy.pop(tuple(came["id"]), None)) is not None:
                    done.set()
            case "alive":
                self._count({Text.of(why): count for why, count in came["faults"]})
            case "started":
                self._note_start(came)
            case "lost":
                log.warning("iec104 connection %s: %s", came["connection"] + 1, came["why"]["en"])
            case "end":
                raise TransportError(Text.of(came["why"]))
            case "retired":
                raise Retired

    def _count(self, faults: Mapping[Text, int]) -> None:
        for why, count in faults.items():
            self.faults[why if why in self.faults or len(self.faults) < MOST_FAULTS else _OTHER] += count

    def _note_start(self, note: Note) -> None:
        if self.started:
            log.info("iec104: data comes from %s now", note["way"])
            self._earlier.clear()  # answers do not change over
            self._watcher.switched()
        self.started = True

    def _control(self, note: Note) -> None:
        control = Control(
            note["type"], note["cause"], note["negative"], note["ca"], note["ioa"], bytes.fromhex(note["element"])
        )
        outcome = self._outcomes.get((control.type, control.ca, control.ioa))
        if outcome is not None:
            outcome.take(control, note["sent"])
        elif control.type == END_OF_INITIALISATION:
            self._watcher.initialised(control.ca)
        elif not note["sent"] and control.type not in _CONTROLS:
            self._count({not_read(control.type): 1})

    # ------------------------------------------------------------------------------------------------- activating

    async def activate(self, outcome: Outcome, request: Note, confirm_s: float, end_s: float | None = None) -> None:
        """Send an activation and follow it to its confirmation, or with `end_s` to its termination.

        Raises RefusedByDevice, or TransportError: then it is not known whether it was taken.
        """
        what = outcome.name
        async with self._turns[outcome.key]:
            if outcome.key in self._busy:
                await self._busy[outcome.key].wait()
            if self._lost:
                text = Text(f"{what.en} was not sent: {self._lost.en}", f"{what.zh} 未发送：{self._lost.zh}")
                raise TransportError(text, device=outcome.device)
            self._outcomes[outcome.key] = outcome
            outcome.earlier = self._earlier.get(outcome.key, ())
            try:
                self._busy[outcome.key] = asyncio.Event()
                self.worker.send({**request, "id": outcome.key})
                await self._await(outcome, outcome.confirmed, confirm_s, _CONFIRMED)
                if end_s is not None:
                    await self._await(outcome, outcome.ended, end_s, _ENDED)
            except (TransportError, asyncio.CancelledError):
                if outcome.order:
                    self._earlier[outcome.key].append(outcome.order)
                raise
            finally:
                del self._outcomes[outcome.key]

    async def _await(self, outcome: Outcome, event: asyncio.Event, seconds: float, end: Text) -> None:
        what = outcome.name
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            if not outcome.sent.is_set():
                text = Text(
                    f"{what.en} was not sent within {seconds:g} s: the link transfers no data or is busy",
                    f"{what.zh} 在 {seconds:g} s 内未发送：链路未启动数据传输或繁忙",
                )
            else:
                after = _SELECTED if outcome.selected and not outcome.confirmed.is_set() else Text("", "")
                text = Text(
                    f"{what.en} was not {end.en} within {seconds:g} s{after.en}; {_UNKNOWN.en}",
                    f"{what.zh} 在 {seconds:g} s 内未收到{end.zh}{after.zh}；{_UNKNOWN.zh}",
                )
            raise TransportError(text, device=outcome.device) from None
        if outcome.refusal is not None:
            raise outcome.refusal
        if self._lost:
            text = Text(f"{what.en}: {self._lost.en}; {_UNKNOWN.en}", f"{what.zh}：{self._lost.zh}；{_UNKNOWN.zh}")
            raise TransportError(text, device=outcome.device)


_CONTROLS: Final = range(45, 108)
"""Types whose answers may come late, when nobody waits for them any more."""
