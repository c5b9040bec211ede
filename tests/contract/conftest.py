"""Every case of the contract runs on both ledgers."""

from collections.abc import AsyncIterator

import pytest

from policy.plan import Generation
from tests.support.ledger.twins import LedgerUnderTest, MemoryUnderTest, RedisUnderTest, Start


@pytest.fixture(params=["memory", "valkey"])
def form(request: pytest.FixtureRequest) -> str:
    """Which ledger; `strings` is a real one that may not pack entries."""
    return str(request.param)


@pytest.fixture
async def start(request: pytest.FixtureRequest, form: str) -> AsyncIterator[Start]:
    started: list[LedgerUnderTest] = []

    async def make(plan: Generation) -> LedgerUnderTest:
        under_test: LedgerUnderTest
        if form == "memory":
            under_test = MemoryUnderTest(plan)
        else:
            url = await request.getfixturevalue("parts").empty_valkey()
            under_test = await RedisUnderTest.start(url, plan, packed=form != "strings")
        started.append(under_test)
        return under_test

    yield make
    for under_test in started:
        await under_test.close()
