"""Stacks to hurt, one a test, and what `--fault-scale` and `--fault-rounds` do to them."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.faults.database import make_template
from tests.faults.load import Load
from tests.faults.scenario import Scenario
from tests.faults.stack import Stack
from tests.faults.table import record
from tests.support.servers.parts import folder_in_memory

Begin = Callable[..., Awaitable[Scenario]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Rounds of every test that has a stack."""
    rounds = metafunc.config.getoption("fault_rounds")
    if "begin" in metafunc.fixturenames and rounds > 1:
        metafunc.fixturenames.append("fault_round")
        metafunc.parametrize("fault_round", range(1, rounds + 1))


@pytest.fixture(scope="session")
def memory(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Path]:
    """Where stacks lie: a quick run hurts processes, not disks, so it lies in memory, where a disk
    that others keep busy delays nothing; a long one lies on the disk."""
    on_disk = tmp_path_factory.mktemp("stacks")
    if pytestconfig.getoption("fault_scale") > 1:
        yield on_disk
        return
    with folder_in_memory(on_disk) as folder:
        yield folder


@pytest.fixture
def folder(memory: Path, tmp_path: Path) -> Iterator[Path]:
    """Of one stack; its logs are kept in `tmp_path`."""
    made = memory / tmp_path.name
    made.mkdir(mode=0o755)
    yield made
    for log in made.glob("*.log"):
        shutil.copy(log, tmp_path)
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def template(memory: Path) -> Path:
    """A PostgreSQL cluster with the schema, to copy."""
    return make_template(memory / "template")


@pytest.fixture
def scale(request: pytest.FixtureRequest) -> int:
    """How many times the messages of a quick run."""
    return int(request.config.getoption("fault_scale"))


@pytest.fixture
async def begin(
    request: pytest.FixtureRequest, template: Path, folder: Path
) -> AsyncIterator[Begin]:
    """`await begin(name, ...)`: a scenario whose stack runs and whose load is ready to start.

    Keyword `load` changes the load, all others are the stack's."""
    async with AsyncExitStack() as entered:
        begun: list[Scenario] = []

        async def begin(name: str, load: dict[str, Any] | None = None, **options: Any) -> Scenario:
            stack = await entered.enter_async_context(Stack(folder, template, **options))
            begun.append(Scenario(name, stack, Load(stack.gateway.port, **(load or {}))))
            return begun[-1]

        yield begin
        for scenario in begun:
            await scenario.load.abandon()
            if hasattr(scenario, "findings"):
                record(request, scenario.line())
