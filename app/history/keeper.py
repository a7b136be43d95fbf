"""The thread that keeps the history in order: rebuilds after a crash, closes hours, seals days, drops what is old."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from app.history.closing import Closer
from app.history.layout import MS_NS
from app.history.mending import is_damage
from app.history.opening import Opened
from app.history.rebuild import rebuild
from app.history.recorder import Mark
from app.history.writer import Failures, Shelf, Writer
from app.model.errors import words_of

log = logging.getLogger("gridroom.history.keeper")

_CLOSING: Final = "history.closing"
_FAULT: Final = "history.housekeeping"
_RETRY_S: Final = 60.0


class Keeper:
    """Housekeeping of one running history."""

    def __init__(self, opened: Opened, writer: Writer, closer: Closer, shelf: Shelf) -> None:
        self._opened = opened
        self._writer = writer
        self._closer = closer
        self._clock = shelf.clock
        self._settings = shelf.settings
        self._troubles = shelf.troubles
        self._wake = threading.Event()
        self._stopping = False
        self._retry_at = 0.0
        self._thread = threading.Thread(target=self._run, name="history-keeper", daemon=True)

    def start(self) -> None:
        """Begin; an hour that ends wakes it."""
        self._writer.on_new_hour = self._wake.set
        self._thread.start()

    def stop(self) -> None:
        """Break off and end the thread; what was half done is done again after the next start."""
        self._stopping = True
        self._wake.set()
        while self._thread.is_alive():
            self._closer.store.interrupt()
            self._thread.join(timeout=0.2)

    def _run(self) -> None:
        cut_off = list(self._opened.cut_off)
        while not self._stopping:
            if time.monotonic() >= self._retry_at:
                try:
                    while cut_off and not self._stopping:
                        self._rebuild(self._opened.ids, cut_off[0])
                        cut_off.pop(0)
                    self._tidy_up()
                    self._troubles.clear(_CLOSING)
                    self._troubles.clear(_FAULT)
                except (duckdb.ConnectionException, duckdb.InterruptException) as error:
                    # The store is being reopened, of which the writer tells.
                    log.debug("housekeeping was broken off: %s", error)
                except Failures as error:
                    self._retry_at = time.monotonic() + _RETRY_S
                    if not self._stopping:
                        self._tell(error)
                        self._mend(error)
                except Exception as error:  # a fault of ours must not end housekeeping until the next start
                    self._retry_at = time.monotonic() + _RETRY_S
                    log.exception("fault in the history's housekeeping")
                    self._troubles.tell(
                        _FAULT,
                        f"fault in the history's housekeeping ({error}); nothing is lost, see the log",
                        f"历史库归档程序出错（{error}）；数据未丢失，见日志",
                    )
            self._wake.wait(self._settings.keeper_s)
            self._wake.clear()

    def _rebuild(self, ids: NDArray[np.int32], mark: Mark) -> None:
        archive = self._opened.archive
        with archive.catalogue.reading() as view, archive.store.cursor() as cursor:
            commit = rebuild(cursor, view, archive.station, ids, mark)
        self._writer.end_run(commit).result()

    def _tidy_up(self) -> None:
        busy = self._writer.busy
        if busy is None:
            return
        for hour in self._opened.archive.catalogue.view.hours:
            if hour not in busy and not self._stopping:
                self._closer.close(hour)
        if not self._stopping:
            self._writer.drop_leftovers().result()
        now_ms = self._clock.now_ns() // MS_NS
        if not self._stopping:
            self._closer.seal(now_ms)
            self._closer.expire(now_ms)

    def _mend(self, error: Exception) -> None:
        if not is_damage(error):
            return
        try:
            self._writer.mend(str(error)).result()
        except Failures as failure:
            log.warning("the damaged history cannot be mended yet: %s", failure)
        else:
            self._retry_at = 0.0
            self._wake.set()

    def _tell(self, error: Exception) -> None:
        why = words_of(error)
        log.warning("housekeeping of the history failed: %s", error)
        self._troubles.tell(
            _CLOSING,
            f"an hour of the history cannot be closed into its file ({why.en}); nothing is lost, it is tried again",
            f"历史库归档失败（{why.zh}）；数据未丢失，将自动重试",
        )
