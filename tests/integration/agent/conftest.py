"""Agents that ship to a control plane, and what PowerMTA writes for them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.control.agents import Agent, MakeAgent
from tests.support.control.fixtures import api, core
from tests.support.control.shipped import Mail, MakeMail

__all__ = ["api", "core", "make_agent", "make_mail"]


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
