"""What one answer after the other makes of the points of a plan."""

from __future__ import annotations

import math
import struct

import pytest

from app.model import quality as q
from app.model.config import BlocksForm
from drivers.modbus.connection import peer_of
from drivers.modbus.polling import ModbusPlan
from tests.support.devices import device, point


@pytest.fixture
def plan() -> ModbusPlan:
    """One f64, in units of ten thousand million."""
    points = [point("p", {"table": "holding", "register": 0, "type": "f64"}, scale=1e10)]
    meter = device("m", {"host": "127.0.0.1"}, points)
    return ModbusPlan("m", peer_of(meter), meter.points, BlocksForm())


def answered(plan: ModbusPlan, number: float) -> tuple[int, str]:
    """Quality and remark."""
    plan.take(plan.asks[0], b"\x03\x08" + struct.pack(">d", number), 1)
    (quality,) = plan.updates(1).quality.tolist()
    remark = plan.remarks().get("m.p")
    return quality, remark.en if remark else ""


def test_what_is_no_number_says_why_until_there_is_one(plan: ModbusPlan) -> None:
    assert answered(plan, 1.0) == (q.GOOD, "")
    assert answered(plan, math.nan) == (q.IV, "the device sent NaN, no number")
    assert answered(plan, -math.inf) == (q.IV, "the device sent infinity")
    assert answered(plan, 1e300) == (q.IV, "its number times `scale` is beyond all numbers")
    assert answered(plan, 2.0) == (q.GOOD, "")
