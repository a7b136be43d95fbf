"""A gateway that hangs up: the line is opened again by the next read."""

from __future__ import annotations

import pytest

from app.model.errors import DeviceError
from tests.support import meters as faults
from tests.system.dlt645.conftest import VALUES, A, Open, Serve


@pytest.mark.asyncio
async def test_the_line_is_opened_again_after_it_was_lost(serve: Serve, open_link: Open) -> None:
    field = await serve("tcp")
    device = field.device(A)
    link = open_link(device)
    plan = link.plan(device, device.points)
    await link.connect()
    await link.read(plan)
    field.meters.drop()
    with pytest.raises(DeviceError):
        await link.read(plan)
        await link.read(plan)
    assert (await link.read(plan)).value.tolist() == VALUES
    assert field.meters.connections == 2


@pytest.mark.asyncio
async def test_a_connection_that_leads_nowhere_is_given_up(serve: Serve, open_link: Open) -> None:
    """Two requests in a row without an answer: gateways forget connections without a word."""
    field = await serve("tcp")
    device = field.device(A)
    link = open_link(device)
    plan = link.plan(device, device.points)
    field.meters.faults[A].extend([faults.silent, faults.silent])
    for _ in range(2):
        with pytest.raises(DeviceError):
            await link.read(plan)
    assert (await link.read(plan)).value.tolist() == VALUES
    assert field.meters.connections == 2
