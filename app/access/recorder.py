"""What changes something: first the audit, then the deed, then the audit of how it ended. No row, no deed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from app.access.guard import Call
from app.access.plain import arguments, plain
from app.model.access import Actor, Changed, Denied
from app.model.audit import AuditEntry, Result
from app.model.errors import GridroomError, StorageError, words_of
from app.model.text import Text

_log = logging.getLogger("gridroom.access")


class Writer(Protocol):
    """What is asked of the audit: a row, durable when the future is done, or failed within seconds."""

    def write(self, entry: AuditEntry) -> Future[int]: ...


class Recorder:
    """Of one door."""

    def __init__(self, audit: Writer) -> None:
        self._audit = audit
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="desk")

    def close(self) -> None:
        """What has begun is ended; nothing begins any more."""
        self._pool.shutdown()

    def run(self, actor: Actor, call: Call, run: Callable[[], Any], second: Actor | None) -> Future[Any]:
        """First the audit, then what was asked, then the audit of how it ended."""
        details = arguments(call.arguments, call.permit.hide)
        reason = str(call.arguments.get("reason", ""))
        if second is not None:
            details["confirmed_by"] = second.name
        asked = AuditEntry(actor, call.path, target_of(call), Result.ASKED, reason, details)
        answer: Future[Any] = Future()
        if call.permit.urgent:  # what makes the station safe waits for no disk
            self._do(answer, run, asked, self._audit.write(asked))
            return answer
        written = self._audit.write(asked)
        written.add_done_callback(lambda _: self._begin(answer, run, asked, written))
        return answer

    def _begin(self, answer: Future[Any], run: Callable[[], Any], asked: AuditEntry, written: Future[int]) -> None:
        """Off the records' thread, which must not wait for what is asked."""
        try:
            self._pool.submit(self._allowed, answer, run, asked, written)
        except RuntimeError:  # the door is closed
            fail(answer, Denied(Text("the station is being closed", "站点正在关闭")))

    def _allowed(self, answer: Future[Any], run: Callable[[], Any], asked: AuditEntry, written: Future[int]) -> None:
        error = written.exception()
        if error is not None:
            why = words_of(error) if isinstance(error, Exception) else Text.of(str(error))
            _log.error("%s is not done: it cannot be audited: %s", asked.what, why.en)
            fail(
                answer,
                StorageError(
                    Text(f"nothing is done, for it cannot be audited: {why.en}", f"未执行：无法写入审计：{why.zh}")
                ),
            )
        elif answer.cancelled():
            self._ended(asked, written, Result.FAILED, reason="cancelled before it began")
        else:
            self._do(answer, run, asked, written)

    def _do(self, answer: Future[Any], run: Callable[[], Any], asked: AuditEntry, written: Future[int]) -> None:
        try:
            result = run()
        except Exception as error:
            self._finish_failed(answer, asked, written, error)
            return
        if not isinstance(result, Future):
            self._finish(answer, asked, written, result)
            return
        answer.add_done_callback(lambda done: result.cancel() if done.cancelled() else None)
        result.add_done_callback(lambda _: self._finish_future(answer, asked, written, result))

    def _finish_future(self, answer: Future[Any], asked: AuditEntry, written: Future[int], result: Future[Any]) -> None:
        if result.cancelled():
            self._ended(asked, written, Result.FAILED, reason="cancelled")
            answer.cancel()
        elif (error := result.exception()) is not None:
            self._finish_failed(answer, asked, written, error)
        else:
            self._finish(answer, asked, written, result.result())

    def _finish(self, answer: Future[Any], asked: AuditEntry, written: Future[int], result: Any) -> None:
        before = after = None
        if isinstance(result, Changed):
            before, after, result = plain(result.before), plain(result.after), result.answer
        self._ended(asked, written, Result.DONE, before=before, after=after)
        with suppress(InvalidStateError):  # who asked does not wait any more
            answer.set_result(result)

    def _finish_failed(
        self, answer: Future[Any], asked: AuditEntry, written: Future[int], error: BaseException
    ) -> None:
        why = str(error) if isinstance(error, GridroomError) else f"{type(error).__name__}: {error}"
        self._ended(asked, written, Result.FAILED, reason=why)
        fail(answer, error)

    def _ended(self, asked: AuditEntry, written: Future[int], result: Result, **more: Any) -> None:
        """Its second row. That it cannot be written is logged by the audit; what was done stays done."""

        def write(_: Future[int]) -> None:
            id_ = written.result() if written.exception() is None else 0
            self._audit.write(replace(asked, result=result, asks=id_, details=None, **more))

        written.add_done_callback(write)


def target_of(call: Call) -> str:
    """The devices that a call touches, the first twenty."""
    devices = call.devices or ()
    more = f" and {len(devices) - 20} more" if len(devices) > 20 else ""
    return ", ".join(devices[:20]) + more


def fail(answer: Future[Any], error: BaseException) -> None:
    """Tell whoever still waits."""
    with suppress(InvalidStateError):
        answer.set_exception(error)
