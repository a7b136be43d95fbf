"""The bridge: what changed is told once, answers come on the Qt thread, and nothing comes to who is gone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject
from pytestqt.qtbot import QtBot

from app.console.bridge import Bridge
from app.model.clock import ManualClock
from app.model.config import Priority
from app.model.views import LinkState
from tests.support.fake_station import FakeStation, alarm


@pytest.fixture
def bridge(qtbot: QtBot, facade: FakeStation) -> Iterator[Bridge]:
    made = Bridge(facade)
    yield made
    made.close()


class Answers(QObject):
    """Somebody who asks."""

    def __init__(self) -> None:
        super().__init__()
        self.results: list[Any] = []
        self.errors: list[BaseException] = []
        self.threads: list[threading.Thread] = []

    def result(self, answer: object) -> None:
        self.results.append(answer)
        self.threads.append(threading.current_thread())

    def error(self, error: BaseException) -> None:
        self.errors.append(error)


def finish_elsewhere(future: Future[str], answer: str) -> None:
    thread = threading.Thread(target=future.set_result, args=(answer,))
    thread.start()
    thread.join()


def test_only_the_changed_rows_are_told(bridge: Bridge, facade: FakeStation) -> None:
    told: list[Any] = []
    bridge.values.connect(lambda changed, _: told.append(changed.tolist()))
    bridge.refresh()
    facade.put("meter1.p_kw", 12.5)
    facade.put("pcs1.q_kvar", -3.0)
    bridge.refresh()
    bridge.refresh()
    assert told[0] == list(range(len(facade.station.points)))
    assert told[1] == sorted(facade.station.by_name[name] for name in ("meter1.p_kw", "pcs1.q_kvar"))
    assert told[2] == []


def test_one_signal_tells_many_changes(bridge: Bridge, facade: FakeStation) -> None:
    bridge.refresh()
    told: list[Any] = []
    bridge.values.connect(lambda changed, _: told.append(changed))
    facade.clock.advance(1)  # type: ignore[attr-defined]
    facade.move()
    bridge.refresh()
    assert len(told) == 1 and len(told[0]) > 100


def test_a_hidden_window_takes_no_snapshots_and_is_told_all_when_it_is_back(
    bridge: Bridge, facade: FakeStation, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = 0
    snapshot = facade.snapshot

    def counted() -> Any:
        nonlocal taken
        taken += 1
        return snapshot()

    monkeypatch.setattr(facade, "snapshot", counted)
    bridge.start()
    seconds = []
    bridge.health.connect(lambda *_: seconds.append(1))
    qtbot.waitUntil(lambda: len(seconds) >= 1, timeout=5000)
    assert taken == 0
    facade.put("meter1.p_kw", 99.0)
    with qtbot.waitSignal(bridge.values, timeout=5000) as told:
        bridge.set_visible(True)
    assert facade.station.by_name["meter1.p_kw"] in told.args[0].tolist()


def test_alarms_are_told_when_their_version_moves_and_not_otherwise(bridge: Bridge, facade: FakeStation) -> None:
    told: list[Any] = []
    bridge.alarms.connect(told.append)
    bridge.refresh()
    bridge.refresh()
    facade.alarms.set(alarm(7, "pcs1.t_igbt", Priority.HIGH, at=1))
    bridge.refresh()
    assert [len(rows) for rows in told] == [0, 1]


def test_health_tells_a_lost_device(bridge: Bridge, facade: FakeStation) -> None:
    told: list[Any] = []
    bridge.health.connect(lambda health, devices: told.append((health, devices)))
    facade.lose("inv4")
    bridge.refresh()
    health, devices = told[-1]
    assert health.devices_online == health.devices_total - 1
    assert devices["inv4"].state is LinkState.LOST


def test_an_answer_of_another_thread_comes_on_the_qt_thread(bridge: Bridge, qtbot: QtBot) -> None:
    owner, future = Answers(), Future[str]()
    bridge.ask(future, owner, owner.result, owner.error)
    finish_elsewhere(future, "here")
    assert owner.results == [], "the thread that finished it must not call into Qt"
    qtbot.waitUntil(lambda: owner.results == ["here"], timeout=5000)
    assert owner.threads == [threading.main_thread()]


def test_a_failed_answer_comes_as_an_error(bridge: Bridge, qtbot: QtBot) -> None:
    owner, future = Answers(), Future[str]()
    bridge.ask(future, owner, owner.result, owner.error)
    future.set_exception(OSError("disk gone"))
    qtbot.waitUntil(lambda: len(owner.errors) == 1, timeout=5000)
    assert str(owner.errors[0]) == "disk gone" and owner.results == []


def test_an_owner_that_is_gone_hears_nothing_and_its_question_is_cancelled(bridge: Bridge, qtbot: QtBot) -> None:
    owner, answered, open_ = Answers(), Future[str](), Future[str]()
    bridge.ask(answered, owner, owner.result, owner.error)
    bridge.ask(open_, owner, owner.result, owner.error)
    answered.set_result("too late")
    owner.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    qtbot.wait(1)
    assert owner.results == [] and owner.errors == []
    assert open_.cancelled()


def test_a_newer_question_replaces_the_older_of_its_slot_alone(bridge: Bridge, qtbot: QtBot) -> None:
    owner, first, second, other = Answers(), Future[str](), Future[str](), Future[str]()
    bridge.ask(first, owner, owner.result, owner.error, slot="series")
    bridge.ask(other, owner, owner.result, owner.error, slot="journal")
    bridge.ask(second, owner, owner.result, owner.error, slot="series")
    assert first.cancelled() and not other.cancelled()
    second.set_result("new")
    other.set_result("journal")
    qtbot.waitUntil(lambda: sorted(owner.results) == ["journal", "new"], timeout=5000)
    assert owner.errors == []


def test_an_answer_that_is_already_under_way_is_dropped_when_replaced(bridge: Bridge, qtbot: QtBot) -> None:
    owner, first, second = Answers(), Future[str](), Future[str]()
    bridge.ask(first, owner, owner.result, owner.error, slot="series")
    first.set_result("old")
    bridge.ask(second, owner, owner.result, owner.error, slot="series")
    second.set_result("new")
    qtbot.waitUntil(lambda: owner.results != [], timeout=5000)
    assert owner.results == ["new"]


def test_a_closed_bridge_delivers_nothing(bridge: Bridge, qtbot: QtBot) -> None:
    owner, before, after = Answers(), Future[str](), Future[str]()
    bridge.ask(before, owner, owner.result, owner.error)
    bridge.close()
    bridge.ask(after, owner, owner.result, owner.error)
    assert before.cancelled() and after.cancelled()
    qtbot.wait(1)
    assert owner.results == []


def test_the_snapshot_carries_what_a_lost_device_last_said(
    bridge: Bridge, facade: FakeStation, manual_clock: ManualClock
) -> None:
    facade.put("inv4.p_kw", 17.5)
    manual_clock.advance(200)
    facade.lose("inv4", 180)
    bridge.refresh()
    i = facade.station.by_name["inv4.p_kw"]
    assert bridge.snapshot.value[i] == 17.5
    assert np.bitwise_and(bridge.snapshot.quality[i], 0x40)
