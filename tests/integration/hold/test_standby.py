"""A database's name that leads to a standby, or away from a primary that was cut off."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from control.embedded.servers.postgres import LocalPostgres
from control.store.connecting import StandbyError as NoPrimaryError
from control.store.database import open_pool
from control.store.migrate import migrate, revision
from gateway.hold.database import AwayError, Database, StandbyError, UnknownError
from gateway.hold.primary import Whereabouts
from gateway.watch.log import Log
from settings.model import Database as Where
from tests.faults.proxy import Proxy
from tests.support.hold.standbys import ask, caught_up, promote, standby_of

PUT = "INSERT INTO seen SELECT inet_server_port() RETURNING port"


class Name:
    """A name that leads to one of two servers, and a gateway's database behind it."""

    def __init__(self, primary: LocalPostgres, standby: LocalPostgres, proxy: Proxy) -> None:
        self.primary, self.standby, self.proxy = primary, standby, proxy
        head, _, tail = primary.url.rpartition(":")
        self.url = f"{head}:{proxy.port}/{tail.partition('/')[2]}"
        log, where = Log(descriptor=os.memfd_create("log")), Whereabouts()
        self.database, self.vital = (
            Database(self.url, connections=size, timeout=5.0, log=log, whereabouts=where)
            for size in (3, 2)
        )

    async def put(self, database: Database | None = None) -> int:
        """Port of the server that a row was committed on."""
        async with (database or self.database).connection() as link:
            return int(await link.fetchval(PUT))


@asynccontextmanager
async def name(folder: Path) -> AsyncIterator[Name]:
    async with LocalPostgres(folder / "a") as primary:
        await ask(primary.url, "CREATE TABLE seen (port integer)")
        async with (
            standby_of(primary, folder / "b") as standby,
            Proxy("127.0.0.1", primary.port) as proxy,
        ):
            await caught_up(primary, standby)
            made = Name(primary, standby, proxy)
            await made.database.open()
            await made.vital.open()
            try:
                yield made
            finally:
                await made.database.close()
                await made.vital.close()


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PostgreSQL's own user has to enter it."""
    made = tmp_path_factory.mktemp("standby")
    made.chmod(0o755)
    return made


async def test_a_gateway_never_keeps_a_connection_to_a_standby(folder: Path) -> None:
    async with name(folder) as here:
        assert await here.put() == here.primary.port
        here.proxy.lead_to(here.standby.port)
        here.proxy.cut()
        for _ in range(3):
            with pytest.raises((AwayError, UnknownError)):
                await here.put()
        with pytest.raises(StandbyError, match="read-only standby"):
            async with here.database.fresh(2.0):
                pass
        here.proxy.lead_to(here.primary.port)
        assert await here.put() == here.primary.port, "with the first message after"


async def test_an_answer_that_says_not_me_ends_every_connection(folder: Path) -> None:
    """As a balancer of sessions gives it, or a managed server before it hands over."""
    async with name(folder) as here:
        async with here.database.connection() as one, here.database.connection() as two:
            await one.fetchval("SELECT 1")
            await two.fetchval("SELECT 1")
        async with here.database.connection() as link:
            await link.execute("SET default_transaction_read_only = on")
        with pytest.raises(StandbyError, match="read-only transaction"):
            await here.put()
        accepted = here.proxy.accepted
        assert await here.put() == here.primary.port
        async with here.database.connection(), here.database.connection():
            pass
        assert here.proxy.accepted > accepted, "none of before is lent"


async def left_meanwhile(here: Name) -> None:
    """It takes the commit, and is left already: whether the new one has it nobody knows."""
    async with here.database.connection() as busy:
        await here.database.look()
        assert await busy.fetchval(PUT) == here.primary.port


async def test_a_primary_that_was_cut_off_is_left_at_the_next_look(folder: Path) -> None:
    """It takes writes as before; what it commits is lost with it."""
    async with name(folder) as here:
        assert await here.put() == here.primary.port
        await promote(here.standby)
        here.proxy.lead_to(here.standby.port)
        assert await here.put() == here.primary.port, "the connection of before"
        with pytest.raises(UnknownError, match="the server was left"):
            await left_meanwhile(here)
        for _ in range(3):
            assert await here.put() == here.standby.port


async def test_a_commit_is_settled_on_the_server_that_takes_the_next_ones(folder: Path) -> None:
    """After the tombstone on the new one, a second try on a pooled connection to the old one would
    say that it is kept."""
    async with name(folder) as here:
        assert await here.put() == here.primary.port
        await promote(here.standby)
        here.proxy.lead_to(here.standby.port)
        async with here.database.fresh(2.0) as link:
            assert await link.fetchval(PUT) == here.standby.port
        assert await here.put() == here.standby.port


async def test_what_one_pool_of_a_process_finds_out_all_follow(folder: Path) -> None:
    """A commit is settled over one pool, and ended over another: not on the server of before."""
    async with name(folder) as here:
        assert await here.put(here.vital) == here.primary.port
        assert await here.put() == here.primary.port
        await promote(here.standby)
        here.proxy.lead_to(here.standby.port)
        async with here.database.fresh(2.0):
            pass
        assert await here.put(here.vital) == here.standby.port


async def test_a_session_that_ends_takes_nothing_from_the_commits_of_others(folder: Path) -> None:
    """What is committed on a server that nobody left is known, whosever session it ended."""

    async def ended() -> None:
        async with here.database.connection() as link:
            await link.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    async with name(folder) as here:
        async with here.database.connection() as link:
            with pytest.raises(UnknownError):
                await ended()
            assert await link.fetchval(PUT) == here.primary.port
        assert await here.put() == here.primary.port


async def test_a_look_at_a_standby_ends_the_connections_and_no_answer_does_not(
    folder: Path,
) -> None:
    async with name(folder) as here:
        assert await here.put() == here.primary.port
        here.proxy.refusing = True
        await here.database.look()
        assert await here.put() == here.primary.port
        here.proxy.refusing = False
        here.proxy.lead_to(here.standby.port)
        await here.database.look()
        with pytest.raises(StandbyError):
            await here.put()


async def test_control_takes_a_standby_for_a_database_that_does_not_answer(folder: Path) -> None:
    async with name(folder) as here:
        here.proxy.lead_to(here.standby.port)
        with pytest.raises(NoPrimaryError, match="must lead to the primary"):
            await revision(here.url)
        with pytest.raises(NoPrimaryError, match="must lead to the primary"):
            await migrate(here.url)
        with pytest.raises(NoPrimaryError, match="must lead to the primary"):
            await open_pool(Where(url=here.url))


async def test_controls_pool_leaves_a_server_that_turned_read_only(folder: Path) -> None:
    async with name(folder) as here:
        pool = await open_pool(Where(url=here.url, connections=2))
        try:
            async with pool.acquire() as link:
                await link.execute("SET default_transaction_read_only = on")
                with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                    await link.fetchval(PUT)
            accepted = here.proxy.accepted
            for _ in range(2):
                assert await pool.fetchval(PUT) == here.primary.port
            assert here.proxy.accepted > accepted
        finally:
            await pool.close()
