"""A control plane, a way to it that can be cut, and agents that ship to it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from control.parts import Parts
from tests.conftest import CreateDatabase
from tests.support.control.agents import Agent, MakeAgent
from tests.support.control.core import Api, api_of, build, control_core, settings_for
from tests.support.control.shipped import Mail, MakeMail


@pytest.fixture
async def core(create_database: CreateDatabase, valkey_url: str) -> AsyncIterator[Parts]:
    """With a token and one PowerMTA server."""
    url = await create_database("control", build)
    async with control_core(settings_for(url, valkey_url)) as opened:
        yield opened


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    """Of `core`, through real HTTP."""
    async with api_of(core) as opened:
        yield opened


@pytest.fixture
def make_agent(tmp_path: Path) -> Iterator[MakeAgent]:
    """Agents, ended with the test."""
    made: list[Agent] = []

    def make(url: str, path: Path, **settings: object) -> Agent:
        agent = Agent(tmp_path / f"agent{len(made)}", url, path, **settings)
        made.append(agent)
        return agent

    yield make
    for agent in made:
        agent.close()


@pytest.fixture
def make_mail(tmp_path: Path) -> Iterator[MakeMail]:
    """What PowerMTA writes in this test."""
    made: list[Mail] = []

    def make(seed: int) -> Mail:
        made.append(Mail(tmp_path / "pmta", seed))
        return made[-1]

    yield make
    for mail in made:
        mail.writer.close()
