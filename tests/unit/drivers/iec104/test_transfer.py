"""Windows, numbers and timers of a connection, as a controlled station keeps them (IEC 60870-5-104, 5)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.iec104 import apci
from drivers.iec104.transfer import TABLE, Broken, Event, Parameters, State, Transfer
from tests.support.fuzzing import a_million

START, STOP = apci.control(apci.STARTDT_ACT), apci.control(apci.STOPDT_ACT)
TEST, TESTED = apci.control(apci.TESTFR_ACT), apci.control(apci.TESTFR_CON)


def started(**parameters: float) -> Transfer:
    transfer = Transfer(Parameters(**parameters), 0.0)  # type: ignore[arg-type]
    transfer.take(START, 0.0)
    assert out(transfer) == [apci.control(apci.STARTDT_CON)]
    return transfer


def out(transfer: Transfer) -> list[bytes]:
    frames, transfer.out = transfer.out, []
    return frames


def test_every_state_knows_every_event_but_information_that_nobody_asked_for() -> None:
    missing = {(state, event) for state in State for event in Event} - TABLE.keys()
    assert missing == {(State.STOPPED, Event.INFORMATION), (State.STOPPING, Event.INFORMATION)}


def test_nothing_may_be_sent_before_transfer_is_started() -> None:
    transfer = Transfer(Parameters(), 0.0)
    assert transfer.room == 0
    transfer.take(START, 0.0)
    assert transfer.room == 12


def test_no_more_than_k_frames_are_on_their_way() -> None:
    transfer = started(k=3, w=2)
    for n in range(3):
        transfer.send(bytes([n]), 1.0)
    assert transfer.room == 0
    assert [apci.send_number(frame) for frame in out(transfer)] == [0, 1, 2]
    transfer.take(apci.supervisory(2), 1.0)
    assert transfer.room == 2


def test_what_is_received_is_acknowledged_after_w_frames_or_t2() -> None:
    transfer = started(w=3, t2=10)
    for n in range(3):
        assert transfer.take(apci.information(n, 0, b"asdu"), 1.0) == b"asdu"
    assert out(transfer) == [apci.supervisory(3)]
    transfer.take(apci.information(3, 0, b"asdu"), 2.0)
    transfer.tick(11.9)
    assert not out(transfer)
    transfer.tick(12.0)
    assert out(transfer) == [apci.supervisory(4)]


def test_what_is_sent_acknowledges_what_was_received() -> None:
    transfer = started(t2=10)
    transfer.take(apci.information(0, 0, b"asdu"), 1.0)
    transfer.send(b"answer", 1.0)
    assert [apci.receive_number(frame) for frame in out(transfer)] == [1]
    transfer.tick(11.5)
    assert not out(transfer)


def test_a_frame_that_is_not_acknowledged_within_t1_ends_it() -> None:
    transfer = started(t1=15, t3=100)
    transfer.send(b"a", 1.0)
    transfer.send(b"b", 10.0)
    transfer.take(apci.supervisory(1), 11.0)
    transfer.tick(24.9)
    with pytest.raises(Broken, match="not acknowledged within t1, 15 s"):
        transfer.tick(25.0)


def test_an_idle_connection_is_tested_after_t3_and_given_up_after_t1() -> None:
    transfer = started(t1=15, t3=20)
    transfer.tick(19.9)
    assert not out(transfer)
    transfer.tick(20.0)
    assert out(transfer) == [TEST]
    transfer.take(TESTED, 21.0)
    transfer.tick(41.0)
    assert out(transfer) == [TEST]
    with pytest.raises(Broken, match="test frame was not answered within t1"):
        transfer.tick(56.0)


def test_a_test_is_answered_at_any_time() -> None:
    transfer = Transfer(Parameters(), 0.0)
    transfer.take(TEST, 0.0)
    assert out(transfer) == [TESTED]


def test_a_stop_is_confirmed_when_everything_is_acknowledged() -> None:
    transfer = started()
    transfer.send(b"a", 0.0)
    transfer.take(apci.information(0, 0, b"asdu"), 0.0)
    out(transfer)
    transfer.take(STOP, 1.0)
    assert out(transfer) == [apci.supervisory(1)]
    assert transfer.room == 0
    transfer.take(apci.supervisory(1), 1.0)
    assert out(transfer) == [apci.control(apci.STOPDT_CON)]
    assert transfer.state is State.STOPPED


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (apci.information(1, 0, b"a"), "sent frame 1 where 0 was due"),
        (apci.supervisory(2), "acknowledged frames before 2, where 0 to 1 can be"),
        (apci.information(0, 32767, b"a"), "acknowledged frames before 32767"),
        (apci.control(apci.STARTDT_CON), "only a controlled station sends"),
        (apci.control(0x03), "0x03"),
    ],
)
def test_wrong_numbers_and_frames_end_it(frame: bytes, words: str) -> None:
    transfer = started()
    transfer.send(b"a", 0.0)
    with pytest.raises(Broken, match=words):
        transfer.take(frame, 0.0)


def test_information_while_stopped_ends_it() -> None:
    transfer = Transfer(Parameters(), 0.0)
    with pytest.raises(Broken, match="while data transfer was stopped"):
        transfer.take(apci.information(0, 0, b"a"), 0.0)


def test_numbers_go_round() -> None:
    transfer = started(t2=1000, t3=100000)
    for n in range(apci.MODULO + 5):
        transfer.send(b"a", 0.0)
        transfer.take(apci.information(n, n + 1, b"b"), 0.0)
        out(transfer)
    assert transfer.room == 12


FRAMES = st.one_of(
    st.sampled_from([START, STOP, TEST, TESTED]),
    st.builds(apci.supervisory, st.integers(0, 4)),
    st.builds(apci.information, st.integers(0, 3), st.integers(0, 4), st.just(b"asdu")),
    st.binary(min_size=4, max_size=4).map(lambda octets: bytes((0x68, 4)) + octets),
)


@given(st.lists(st.one_of(FRAMES, st.just(None), st.floats(0, 30)), max_size=40))
def test_whatever_comes_it_keeps_its_window_or_says_why_not(steps: list[bytes | float | None]) -> None:
    transfer, now = Transfer(Parameters(k=3, w=2), 0.0), 0.0
    try:
        for step in steps:
            if isinstance(step, bytes):
                transfer.take(step, now)
            elif step is not None:
                now += step
                transfer.tick(now)
            elif transfer.room > 0:
                transfer.send(b"x", now)
            assert 0 <= len(transfer.unacknowledged) <= 3
            assert transfer.state is State.STARTED or transfer.room == 0
            sent = [apci.send_number(frame) for frame in transfer.out if apci.is_information(frame)]
            assert sent == sorted(sent)
    except Broken as broken:
        assert str(broken)


def fuzz(count: int, random: Random) -> None:
    """Frames in any order, right and wrong numbers, time that passes: as above, and each break says why."""
    transfer, now = Transfer(Parameters(k=3, w=2), 0.0), 0.0
    sent = received = 0
    for _ in range(count):
        try:
            match random.randrange(6):
                case 0:
                    transfer.take(random.choice((START, START, STOP, TEST, TESTED)), now)
                case 1:
                    transfer.take(apci.supervisory(random.choice((sent, sent, max(0, sent - 1), sent + 1))), now)
                case 2:
                    transfer.take(apci.information(received, sent - len(transfer.unacknowledged), b"asdu"), now)
                    received += 1
                case 3 if random.random() < 0.1:
                    transfer.take(bytes((0x68, 4)) + random.randbytes(4), now)
                case 4 if transfer.room > 0:
                    transfer.send(b"x", now)
                    sent += 1
                case _:
                    now += random.random() * 3
                    transfer.tick(now)
            assert len(transfer.unacknowledged) <= 3 and len(transfer.out) < 20
            out(transfer)
        except Broken as broken:
            assert str(broken)
            transfer, sent, received = Transfer(Parameters(k=3, w=2), now), 0, 0


def test_frames_in_any_order_keep_the_window_or_say_why_not() -> None:
    fuzz(20_000, Random(1))


@pytest.mark.slow
def test_a_million_frames_in_any_order() -> None:
    a_million(fuzz)
