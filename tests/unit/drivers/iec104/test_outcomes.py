"""What becomes of a command, told as a table of frames; and whatever comes, its end is one of the declared."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.iec104.asdu import Control
from drivers.iec104.outcomes import Outcome, order_of

SELECT, EXECUTE = b"\x81", b"\x01"


def frame(cause: int, element: bytes = EXECUTE, negative: bool = False) -> Control:
    return Control(45, cause, negative, 1, 7, element)


SENT, CONFIRMED, ENDED, REFUSED = "sent", "confirmed", "ended", "refused"
CYCLES = {
    "direct": (False, [(frame(6), True, {SENT}), (frame(7), False, {CONFIRMED}), (frame(10), False, {ENDED})]),
    "select before operate": (
        True,
        [
            (frame(6, SELECT), True, {SENT}),
            (frame(7, SELECT), False, set()),
            (frame(10, SELECT), False, set()),  # some end their selections, too
            (frame(6), True, set()),
            (frame(7), False, {CONFIRMED}),
            (frame(10), False, {ENDED}),
        ],
    ),
    "selection refused": (True, [(frame(7, SELECT, negative=True), False, {REFUSED, CONFIRMED, ENDED})]),
    "execution refused": (
        True,
        [(frame(7, SELECT), False, set()), (frame(7, negative=True), False, {REFUSED, CONFIRMED, ENDED})],
    ),
    "ended badly": (False, [(frame(7), False, {CONFIRMED}), (frame(10, negative=True), False, {REFUSED, ENDED})]),
    "unknown object": (False, [(frame(47), False, {REFUSED, CONFIRMED, ENDED})]),
    "a termination before": (False, [(frame(10), False, set()), (frame(7), False, {CONFIRMED})]),
}  # fmt: skip


def states(outcome: Outcome) -> set[str]:
    known = {SENT: outcome.sent, CONFIRMED: outcome.confirmed, ENDED: outcome.ended}
    return {name for name, event in known.items() if event.is_set()} | ({REFUSED} if outcome.refusal else set())


@pytest.mark.parametrize("name", CYCLES)
def test_each_way_a_command_can_go(name: str) -> None:
    select, steps = CYCLES[name]
    outcome, expected = Outcome(45, 1, 7, "a", select), set[str]()
    for control, sent, new in steps:
        outcome.take(control, sent)
        expected |= new
        assert states(outcome) == expected


def test_a_refusal_says_what_where_why_and_the_mend() -> None:
    outcome = Outcome(45, 1, 7, "a", select=True)
    outcome.take(frame(47, SELECT, negative=True), False)
    assert outcome.refusal is not None and outcome.refusal.code == 47 and outcome.refusal.device == "a"
    assert str(outcome.refusal) == (
        "the selection of 45 C_SC_NA_1 at 7 of station 1 was refused: it does not know this information object address; "
        "look at the address"
    )
    assert outcome.refusal.text.zh == "站 1 信息对象 7 的 45 C_SC_NA_1 选择被拒绝：未知的信息对象地址；请核对地址"


OFF, TIME = b"\x00", bytes(7)


@pytest.mark.parametrize(
    ("type_", "earlier", "order", "late", "own"),
    [
        (45, SELECT, OFF, EXECUTE, OFF),  # of a selection, and of its execution: both order "on"
        (58, EXECUTE + TIME, OFF + TIME, EXECUTE + b"1234567", OFF + b"7654321"),
        (50, b"\x00\x00\x20\x41\x00", b"\x00\x00\xa0\x41\x00", b"\x00\x00\x20\x41\x00", b"\x00\x00\xa0\x41\x00"),
        (51, b"\1\0\0\0", b"\2\0\0\0", b"\1\0\0\0", b"\2\0\0\0"),
        (100, b"\x15", b"\x16", b"\x15", b"\x16"),
        (45, EXECUTE, EXECUTE, b"\x02", EXECUTE),  # the same again; an answer that repeats neither is for it
    ],
)
@pytest.mark.parametrize("negative", [False, True])
def test_a_late_answer_to_an_earlier_order_is_not_taken_for_the_answer_to_this_one(
    type_: int, earlier: bytes, order: bytes, late: bytes, own: bytes, negative: bool
) -> None:
    def control(element: bytes, cause: int, negative: bool = False) -> Control:
        return Control(type_, cause, negative, 1, 7, element)

    outcome = Outcome(type_, 1, 7, "a", earlier=[order_of(control(earlier, 6))])
    outcome.take(control(order, 6), True)
    if order_of(control(late, 7)) in outcome.earlier:
        outcome.take(control(late, 7, negative), False)
        outcome.take(control(late, 10), False)
        assert states(outcome) == {SENT}
    outcome.take(control(own, 7), False)
    outcome.take(control(late, 10), False)
    if order_of(control(late, 7)) in outcome.earlier:
        assert states(outcome) == {SENT, CONFIRMED}
    outcome.take(control(own, 10), False)
    assert states(outcome) == {SENT, CONFIRMED, ENDED}


controls = st.builds(frame, st.integers(0, 63), st.binary(max_size=4), st.booleans())


@settings(deadline=None)
@given(st.booleans(), st.lists(st.tuples(controls, st.booleans()), max_size=30))
def test_an_end_is_never_taken_back_and_never_without_confirmation(
    select: bool, steps: list[tuple[Control, bool]]
) -> None:
    outcome, before = Outcome(45, 1, 7, "a", select), set[str]()
    for control, sent in steps:
        outcome.take(control, sent)
        now = states(outcome)
        assert before <= now
        assert not {ENDED, REFUSED} & now or CONFIRMED in now
        before = now
