"""Why a point has no value, where several plans read it."""

from __future__ import annotations

from app.model.text import Text
from drivers.remarks import Remarks

WHY, OTHER = Text("null", "空值"), Text("refused", "拒绝")


def test_what_was_read_last_of_a_point_decides() -> None:
    remarks = Remarks()
    assert remarks.of("d") == {}
    remarks.note("d", ("d.p",), {"d.p": WHY})
    remarks.note("d", ("d.p", "d.q", "d.r"), {"d.q": WHY, "d.r": WHY})
    assert remarks.of("d") == {"d.q": WHY, "d.r": WHY}, "whichever plan read it"
    remarks.note("d", ("d.r",), {"d.r": OTHER})
    remarks.note("e", ("e.p",), {})
    assert remarks.of("d") == {"d.q": WHY, "d.r": OTHER} and remarks.of("e") == {}


def test_what_a_reader_holds_does_not_change_under_it() -> None:
    remarks = Remarks()
    remarks.note("d", ("d.p",), {"d.p": WHY})
    held = remarks.of("d")
    remarks.note("d", ("d.p",), {})
    assert held == {"d.p": WHY} and remarks.of("d") == {}
