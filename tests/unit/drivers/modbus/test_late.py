"""What units still owe."""

from __future__ import annotations

from drivers.modbus.late import PATIENCE_S, LateAnswers

_TEN_REGISTERS = bytes([3, 20]) + bytes(20)


def _owing(count: int = 1) -> LateAnswers:
    late = LateAnswers()
    for _ in range(count):
        late.owe(5, 3, len(_TEN_REGISTERS), now=0.0, timeout_s=1.0)
    return late


def _doubtful(late: LateAnswers, unit: int = 5, function: int = 3, size: int = 22, now: float = 1.0) -> bool:
    return late.doubtful(unit, function, size, now=now)


def test_only_an_answer_of_the_same_shape_is_doubtful() -> None:
    late = _owing()
    assert _doubtful(late)
    assert not _doubtful(late, unit=6)
    assert not _doubtful(late, function=4)
    assert not _doubtful(late, size=20)


def test_a_debt_is_settled_once() -> None:
    late = _owing(2)
    assert late.settle(5, _TEN_REGISTERS)
    assert _doubtful(late)
    assert late.settle(5, bytes([0x83, 2]))
    assert not _doubtful(late)
    assert not late.settle(5, _TEN_REGISTERS)


def test_debts_of_others_are_not_settled() -> None:
    late = _owing()
    assert not late.settle(6, _TEN_REGISTERS)
    assert not late.settle(5, bytes([4]) + _TEN_REGISTERS[1:])
    assert _doubtful(late)


def test_nobody_waits_for_ever() -> None:
    assert not _doubtful(_owing(), now=PATIENCE_S + 0.1)
    late = LateAnswers()
    late.owe(5, 3, 22, now=0.0, timeout_s=60.0)
    assert _doubtful(late, now=PATIENCE_S + 1)


def test_a_unit_is_forgiven_by_itself() -> None:
    late = _owing()
    late.owe(6, 3, 22, now=0.0, timeout_s=1.0)
    late.forgive(5)
    assert not _doubtful(late)
    assert _doubtful(late, unit=6)


def test_it_is_known_how_many_answers_are_owed_and_since_when() -> None:
    late = _owing()
    late.owe(5, 4, 4, now=3.0, timeout_s=1.0)
    late.owe(6, 4, 4, now=7.0, timeout_s=1.0)
    assert late.owed_by(5) == (2, 3.0)
    assert late.owed_by(9) == (0, 0.0)
