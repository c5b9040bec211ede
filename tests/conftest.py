"""Fixtures every test may use: the real servers, empty."""

import asyncio
import functools
import inspect
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import hypothesis
import pytest
from argon2 import PasswordHasher

from control.embedded.servers import ports
from control.users import hashing
from gateway.session import auth
from tests.faults.table import pytest_addoption, pytest_terminal_summary
from tests.support import lastwords
from tests.support.certificates import Certificate, make_certificate
from tests.support.hold.database import migrated
from tests.support.servers.parts import Build, SharedParts, folder_in_memory

# pytest takes hooks from here only: the controller of several workers loads no deeper file.
__all__ = ["pytest_addoption", "pytest_terminal_summary"]

# Hypothesis' own limits judge the machine and the dice: a busy machine took longer than 200 ms for
# an example, and one run in hundreds filtered fifty examples before its tenth.
hypothesis.settings.register_profile(
    "sendgate",
    deadline=None,
    suppress_health_check=[
        hypothesis.HealthCheck.filter_too_much,
        hypothesis.HealthCheck.too_slow,
    ],
)
hypothesis.settings.load_profile("sendgate")

CreateDatabase = Callable[..., Awaitable[str]]


def pytest_configure(config: pytest.Config) -> None:
    """Each worker of pytest-xdist draws its ports from a range of its own: one that is chosen and
    not listened on yet looks free to the others."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    width = (ports.HIGHEST - ports.LOWEST) // 4
    ports.LOWEST += width * (int(worker) % 4)
    ports.HIGHEST = ports.LOWEST + width
    config.pluginmanager.register(lastwords)


AWAITING = 3 / 4
"""Of a test's time-out: how long it may await, so that it ends in order and shows where it was."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A time-out by signal would be lost in uvloop, one by thread ends pytest's process
    (`tests/support/lastwords.py`)."""
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            marker = item.get_closest_marker("timeout")
            limit = float(marker.args[0] if marker else item.config.getini("timeout"))
            if limit and not getattr(item.obj, "is_hypothesis_test", False):
                item.obj = _bounded(item.obj, limit * AWAITING)


def _bounded(test: Callable[..., Awaitable[None]], limit: float) -> Callable[..., Awaitable[None]]:
    @functools.wraps(test)
    async def awaited(*arguments: object, **named: object) -> None:
        async with asyncio.timeout(limit):
            await test(*arguments, **named)

    return awaited


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests run on production's loop: its transports differ from asyncio's where it matters."""
    return {"uvloop": lastwords.new_event_loop}


@pytest.fixture(scope="session", autouse=True)
def quick_hashes() -> Iterator[None]:
    """Argon2 with the least it may cost, in the tests' own process: tenants, logins and gateways
    come by the thousand, at a tenth of a second of processor each. Processes of their own have the
    real one, and `tests/unit/test_password.py` says that it is."""
    quick = functools.partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashing, "_hasher", quick())
        patch.setattr(auth, "PasswordHasher", quick)
        yield


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedParts]:
    """The servers of this session; nothing is started before a test asks for it."""
    with folder_in_memory(tmp_path_factory.mktemp("parts")) as folder:
        shared = SharedParts(folder)
        yield shared
        shared.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """For localhost."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def valkey_url(parts: SharedParts) -> str:
    """An empty Valkey."""
    return await parts.empty_valkey()


@pytest.fixture
async def create_database(parts: SharedParts) -> AsyncIterator[CreateDatabase]:
    """A factory of databases, `await create_database(template, build)`, dropped after the test."""
    urls: list[str] = []

    async def create(template: str = "template0", build: Build | None = None) -> str:
        urls.append(await parts.create_database(template, build))
        return urls[-1]

    yield create
    for url in urls:
        await parts.drop_database(url)


@pytest.fixture
async def postgres_url(create_database: CreateDatabase) -> str:
    """A fresh, empty database."""
    return await create_database()


@pytest.fixture
async def hold_url(create_database: CreateDatabase) -> str:
    """A database of the newest schema, with an empty hold."""
    return await create_database("hold", migrated)
