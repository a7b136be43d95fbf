"""What becomes of a command, told as a table of frames; and whatever comes, its end is one of the declared."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.iec104.asdu import Control
from drivers.iec104.outcomes import Outcome

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
