"""The outstation by c104, for one test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.c104_process import Outstation, outstation_of


@pytest_asyncio.fixture
async def outstation() -> AsyncIterator[Outstation]:
    async with outstation_of() as running:
        yield running
