"""What came and waits: of QoS 1 nothing is lost, of QoS 0 the newest stay, and the order is kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drivers.mqtt.inbox import Inbox
from drivers.mqtt.rows import Message


def message(number: int, qos: int, size: int = 1) -> Message:
    return Message("t", b"x" * size, number, qos, False, False, None, 0)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 50)), max_size=200))
def test_an_inbox_is_bounded_and_loses_only_old_messages_of_qos_0(given_: list[tuple[int, int]]) -> None:
    inbox = Inbox(most=20, most_bytes=400)
    put = []
    for number, (qos, size) in enumerate(given_):
        if inbox.full:
            break  # nobody reads from the socket now
        inbox.add(message(number, qos, size))
        put.append((number, qos))
        assert len(inbox) <= 21
    kept = [(m.mid, m.qos) for m in inbox.take()]
    assert [one for one in kept if one[1]] == [one for one in put if one[1]]
    light = [one for one in put if not one[1]]
    kept_light = [one for one in kept if not one[1]]
    assert kept_light == light[len(light) - len(kept_light) :] and inbox.dropped == len(light) - len(kept_light)
    assert kept == sorted(kept)
    assert len(inbox) == 0 and not inbox.full


def test_it_is_full_only_of_what_may_not_be_lost() -> None:
    inbox = Inbox(most=2)
    inbox.add(message(0, 1))
    inbox.add(message(1, 0))
    assert not inbox.full
    inbox.add(message(2, 1))
    assert inbox.full and [m.mid for m in inbox.take()] == [0, 2]
