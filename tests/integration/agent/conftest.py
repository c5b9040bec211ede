"""Agents that ship to a control plane, and what PowerMTA writes for them."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from control.pmta.fileset import MAIN
from tests.support.control.agents import Agent, MakeAgent
from tests.support.control.fixtures import api, core
from tests.support.control.shipped import Mail, MakeMail
from tests.support.pmta.double import Pmta
from tests.support.pmta.offering import Offering

__all__ = ["api", "core", "make_agent", "make_follower", "make_mail", "offering", "pmta"]

MakeFollower = Callable[..., Agent]
"""Settings beside the usual ones."""


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


@pytest.fixture
def pmta(tmp_path: Path) -> Pmta:
    """PowerMTA, whose own configuration includes the agent's first file."""
    folder = tmp_path / "sendgate"
    folder.mkdir()
    (folder / "own.conf").write_text("# the operator's\n")
    made = Pmta(tmp_path / "pmta-double")
    made.put("config", f"log-file /var/log/pmta/log\ninclude {folder}/{MAIN}\n")
    return made


@pytest.fixture
async def offering() -> AsyncIterator[Offering]:
    async with Offering() as made:
        yield made


@pytest.fixture
def make_follower(
    make_agent: MakeAgent, offering: Offering, pmta: Pmta, tmp_path: Path
) -> MakeFollower:
    """The agent's process that keeps PowerMTA's configuration."""

    def make(**settings: object) -> Agent:
        named: dict[str, object] = {
            "url": offering.url,
            "path": tmp_path / "acct.csv",
            "pmta": str(pmta.command),
            "configuration": str(tmp_path / "sendgate"),
            "group": "",
            "status_every": 1,
            "verify_wait": 1.0,
            "offer_wait": 5,
            "again_first": 600,
            "again_most": 600,
            **settings,
        }
        return make_agent(named.pop("url"), named.pop("path"), **named)

    return make
