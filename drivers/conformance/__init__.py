"""The conformance suite: what every driver must do, asked of one driver and a peer that lives.

    rig        what a driver's author gives: driver, devices, and what their peer holds
    shape      what can be seen without the field: abilities, judged configuration
    life       opening, closing, cancelling, silence
    reading    rows, order, quality, texts, reports
    writing    commands, and none in a read-only station
    watching   the loop is never held, and nothing is left behind

With pytest, one test for each check:

    @pytest.mark.asyncio
    @pytest.mark.parametrize("check", CHECKS, ids=name)
    async def test_conforms(check: Check, rig: Rig) -> None:
        await conform(check, rig)

No check asserts how long something took but one: nothing on the loop may take longer than 20 ms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from drivers.conformance import life, reading, shape, writing
from drivers.conformance.rig import Bench, Nonconforming, Rig, device
from drivers.conformance.watching import ATTEMPTS, Watch

__all__ = ["CHECKS", "Check", "Nonconforming", "Rig", "conform", "device", "name"]

Check = Callable[[Bench], Awaitable[None]]

CHECKS: Final[tuple[Check, ...]] = (
    shape.the_driver_judges_its_own_devices_sound,
    shape.the_driver_says_what_it_was_written_for,
    shape.abilities_have_their_shape,
    shape.every_mistake_is_told_with_its_mend,
    shape.no_configuration_makes_judging_fail,
    life.opening_twice_is_opening_once,
    life.closing_twice_is_closing_once,
    life.a_closed_link_stays_closed,
    life.a_closed_link_reports_no_more,
    life.a_cancelled_read_leaves_the_line_usable,
    life.silence_is_told_and_ends,
    life.a_device_that_sends_no_more_is_told_and_comes_back,
    reading.a_read_has_one_row_a_point,
    reading.points_keep_their_values_in_any_order,
    reading.batches_do_not_change_afterwards,
    reading.what_is_refused_is_invalid_and_explained,
    reading.devices_of_a_line_are_read_together,
    reading.texts_are_those_of_the_device,
    reading.reports_come_as_whole_batches,
    writing.a_read_only_link_writes_nothing,
    writing.what_is_written_is_read_back,
    writing.what_does_not_fit_is_refused,
)
"""All of them. What a driver has no ability for, a check passes over."""


def name(check: Check) -> str:
    """The check in words, as a test's id."""
    return getattr(check, "__name__", repr(check))


async def conform(check: Check, rig: Rig) -> None:
    """Run one check. Raises Nonconforming, an AssertionError, with what the driver did and should have done."""
    held = ""
    for _ in range(ATTEMPTS):
        bench = Bench(rig)
        with Watch() as watch:
            try:
                await check(bench)
            finally:
                await bench.clear()
            await watch.settle()
        bench.judge(watch.left_behind())
        held = watch.held()
        if not held:
            return
        await asyncio.sleep(0)
    raise Nonconforming(held)
