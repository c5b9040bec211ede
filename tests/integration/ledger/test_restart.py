"""A ledger's server that was killed, moved, emptied or copied: who notices, and what it costs."""

import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection
from redis.exceptions import ConnectionError as BrokenError

from control.embedded.servers.valkey import LocalValkey
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import ask, connect, lent
from policy.ledger.ledger import RedisLedger, root_key
from policy.ledger.reopening import restart_problems
from policy.ledger_port import Granted, LedgerAwayError, LedgerClosedError, Reserve
from tests.support.gateway.generations import generation, vmta

ASK = Reserve("acme", "acme-pool", "a@acme.test", (("other", 1),))


class Place:
    """A Valkey of its own, its control's side, and gateways."""

    def __init__(self, valkey: LocalValkey) -> None:
        self.valkey = valkey
        self._clients: list[Any] = []
        self.admin = LedgerAdmin(self._client(repeats=1))

    def _client(self, url: str = "", repeats: int = 0) -> Any:
        self._clients.append(connect(url or self.valkey.url, repeats=repeats))
        return self._clients[-1]

    def gateway(self, *, single: bool = True, url: str = "") -> RedisLedger:
        return RedisLedger(self._client(url), single=single)

    async def fill(self, daily: int = 3) -> None:
        await self.admin.open()
        await self.admin.publish(generation(vmta(1, daily=daily)))

    async def relayed(self) -> int:
        _, usage = await self.admin.usage(["192.0.2.1"])
        return usage["192.0.2.1"].relayed

    async def kill(self) -> None:
        """And start it again on its data, as its supervisor does."""
        os.kill(self.valkey.pid, signal.SIGKILL)
        await self.valkey.restart()

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()


@asynccontextmanager
async def place(directory: Path) -> AsyncIterator[Place]:
    async with LocalValkey(directory) as valkey:
        made = Place(valkey)
        try:
            await made.fill()
            yield made
        finally:
            await made.close()


async def grants(ledger: RedisLedger, count: int = 1) -> list[bool]:
    return [isinstance(one, Granted) for one in (await ledger.decide([ASK] * count)).decisions]


async def test_counts_survive_and_nobody_sees_the_connection_that_died(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        ledger = here.gateway()
        assert await grants(ledger) == [True]
        before = await here.admin.standing()
        await here.kill()
        assert await here.admin.number() == 1
        assert await grants(ledger, 3) == [True, True, False]
        assert await here.relayed() == 3
        after = await here.admin.standing()
        assert (after.incarnation, after.whole) == (before.incarnation, True)
        assert before.server != after.server == after.run


async def test_one_gateway_opens_it_for_all_of_them(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        first, others = here.gateway(), [here.gateway(single=False) for _ in range(3)]
        for ledger in (first, *others):
            await ledger.attach()
        await here.kill()
        news = here.admin.client.pubsub()
        await news.subscribe(f"{here.admin.root}news")
        await news.get_message(timeout=2.0)
        assert await grants(first) == [True]
        message = await news.get_message(ignore_subscribe_messages=True, timeout=2.0)
        assert message is not None
        assert message["data"] == b"opened", "denials that were remembered go"
        await news.aclose()
        assert [await grants(other) for other in others[:2]] == [[True], [True]]
        assert await grants(others[2]) == [False]


async def test_a_restart_closes_a_ledger_that_is_not_called_single(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        ledger = here.gateway(single=False)
        assert await grants(ledger) == [True]
        await here.kill()
        for who in (ledger, here.gateway(single=False)):
            for _ in range(2):
                with pytest.raises(LedgerClosedError, match=r"ledger\.single"):
                    await who.decide([ASK])
        assert await here.relayed() == 1


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("appendfsync", "everysec"),
        ("no-appendfsync-on-rewrite", "yes"),
        ("appendonly", "no"),
        ("maxmemory-policy", "allkeys-lru"),
    ],
)
async def test_it_stays_closed_on_a_server_that_may_lose_counts(
    tmp_path: Path, setting: str, value: str
) -> None:
    async with place(tmp_path) as here:
        await here.kill()
        await here.admin.client.config_set(setting, value)
        ledger = here.gateway()
        with pytest.raises(LedgerClosedError, match="append-only|" + setting):
            await ledger.decide([ASK])
        await here.valkey.restart()
        assert await grants(ledger) == [True], "it is as it should be again"


async def test_it_stays_closed_where_the_set_up_cannot_be_read(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        for user, without in (("blind", "-info"), ("bound", "-config")):
            await here.admin.client.execute_command(
                *("ACL", "SETUSER", user, "on", ">secret", "~*", "&*", "+@all", without)
            )
        url = f"redis://%s:secret@127.0.0.1:{here.valkey.port}/0"
        blind, bound = here.gateway(url=url % "blind"), here.gateway(url=url % "bound")
        with pytest.raises(LedgerClosedError, match="may not ask for INFO"):
            await blind.decide([ASK])
        assert await grants(bound) == [True], "as long as nothing was restarted"
        await here.admin.client.hset(f"{here.admin.root}inc", "run", "another")
        fresh = here.gateway(url=url % "bound")
        with pytest.raises(LedgerClosedError, match="set-up cannot be read"):
            await fresh.decide([ASK])
        assert (await here.admin.standing()).run == "another"


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("first", ["the one that remembers", "a new one"])
async def test_a_copy_one_second_old_is_closed_for_all(
    tmp_path: Path, single: bool, first: str
) -> None:
    copy = tmp_path / "copy"
    async with place(tmp_path / "valkey") as here:
        ledger = here.gateway(single=single)
        assert await grants(ledger) == [True]
        await here.admin.client.config_set("auto-aof-rewrite-percentage", 0)
        shutil.copytree(here.valkey.data_dir / "appendonlydir", copy)
        assert await grants(ledger, 2) == [True, True]
        await here.valkey.stop()
        shutil.rmtree(here.valkey.data_dir / "appendonlydir")
        shutil.copytree(copy, here.valkey.data_dir / "appendonlydir")
        await here.valkey.start()
        assert await here.relayed() == 1, "two of them are forgotten"
        fresh = here.gateway(single=single)
        if first == "a new one" and single:
            # Nothing on the server tells a copy from the original.
            assert await grants(fresh) == [True]
        with pytest.raises(LedgerClosedError, match="gone back" if single else "gone back|single"):
            await ledger.decide([ASK])
        for who in (ledger, fresh, here.gateway(single=single)):
            with pytest.raises(LedgerClosedError):
                await who.decide([ASK])
        assert (await here.admin.standing()).incarnation == ""


async def test_a_promoted_replica_is_closed(tmp_path: Path) -> None:
    async with place(tmp_path / "master") as here, LocalValkey(tmp_path / "replica") as replica:
        async with connect(replica.url) as other:
            await other.config_set("masterauth", here.valkey.url.split("@")[0].rpartition(":")[2])
            await other.execute_command("REPLICAOF", "127.0.0.1", here.valkey.port)
            while (await other.info("replication"))["master_link_status"] != "up":
                pass
            assert await grants(here.gateway()) == [True]
            await here.admin.client.wait(1, 2000)
            while await other.hget(f"{here.admin.root}inc", "seq") != b"1":
                pass
            # The link breaks: two more are granted that the replica never hears of.
            await other.execute_command("REPLICAOF", "127.0.0.1", "1")
            assert await grants(here.gateway(), 2) == [True, True]
            await other.execute_command("REPLICAOF", "NO", "ONE")
            assert await other.hget(f"{here.admin.root}inc", "id") != b""
        for single in (True, False):
            with pytest.raises(LedgerClosedError, match=r"until it was promoted|\.single"):
                await here.gateway(single=single, url=replica.url).decide([ASK])


async def test_a_master_with_a_replica_does_not_open_by_itself(tmp_path: Path) -> None:
    async with place(tmp_path / "master") as here, LocalValkey(tmp_path / "replica") as replica:
        await here.kill()
        async with connect(replica.url) as other:
            await other.config_set("masterauth", here.valkey.url.split("@")[0].rpartition(":")[2])
            await other.execute_command("REPLICAOF", "127.0.0.1", here.valkey.port)
            while (await other.info("replication"))["master_link_status"] != "up":
                pass
            with pytest.raises(LedgerClosedError, match="1 replicas"):
                await here.gateway().decide([ASK])
            with pytest.raises(LedgerAwayError, match="server is a replica"):
                await here.gateway(url=replica.url).decide([ASK])


async def test_a_flushed_and_an_empty_server_are_closed(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        ledger = here.gateway()
        assert await grants(ledger) == [True]
        await here.admin.client.flushall()
        with pytest.raises(LedgerClosedError):
            await ledger.decide([ASK])
        await here.fill()
        assert await grants(ledger) == [True]
        await here.valkey.stop()
        shutil.rmtree(here.valkey.data_dir / "appendonlydir")
        await here.valkey.start()
        for who in (ledger, here.gateway()):
            with pytest.raises(LedgerClosedError, match="not been opened"):
                await who.decide([ASK])


async def test_a_batch_never_travels_to_another_process_than_it_was_meant_for(
    tmp_path: Path,
) -> None:
    """The name of the server leads elsewhere, and the connection is still there."""
    async with place(tmp_path) as here:
        ledger = here.gateway(single=False)
        assert await grants(ledger) == [True]
        async with lent(ledger.client) as connection:
            assert len(connection.run) == 40
            await connection.disconnect()
            with pytest.raises(BrokenError):
                await ask(connection, "PING")
        await here.kill()
        with pytest.raises(LedgerClosedError):
            await ledger.decide_batch("b1", [ASK])
        assert await here.admin.client.get(f"{root_key('main')}batch:b1") is None


async def test_connections_of_every_kind_are_asked_for_their_process() -> None:
    for url, kind in (
        ("rediss://127.0.0.1:1/0", SSLConnection),
        ("unix:///nowhere.sock", UnixDomainSocketConnection),
    ):
        client = connect(url)
        made = client.connection_pool.connection_class
        assert issubclass(made, kind)
        assert made.on_connect_check_health is not kind.on_connect_check_health


GOOD = {
    "role": "master",
    "connected_slaves": "0",
    "second_repl_offset": "-1",
    "aof_enabled": "1",
}
SYNCED = {
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "maxmemory-policy": "noeviction",
}


def test_what_is_not_known_of_a_restarted_server_keeps_it_closed() -> None:
    assert restart_problems(GOOD, SYNCED) == []
    for name in GOOD.keys() - {"second_repl_offset"}:
        assert restart_problems({k: v for k, v in GOOD.items() if k != name}, SYNCED), name
    for name in SYNCED:
        assert restart_problems(GOOD, {k: v for k, v in SYNCED.items() if k != name}), name
