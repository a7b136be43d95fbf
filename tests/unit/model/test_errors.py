"""Errors of devices: English for the log, both languages for the screen, whole across a process boundary."""

from __future__ import annotations

import copy

from app.model.errors import RefusedByDevice
from app.model.text import Text


def test_a_device_error_keeps_both_languages_across_a_process_boundary() -> None:
    error = RefusedByDevice(Text("unit 3 refused", "单元 3 拒绝"), device="m1", code=6)
    again = copy.copy(error)  # is taken apart and built anew, as on the way to another process
    assert str(again) == "unit 3 refused"
    assert (again.text.zh, again.device, again.code) == ("单元 3 拒绝", "m1", 6)
