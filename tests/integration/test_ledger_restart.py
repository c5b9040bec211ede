"""A ledger's server that was killed and is back: who notices, and what it costs."""

import os
import signal
from pathlib import Path

from control.local.valkey import LocalValkey
from policy.ledger.admin import LedgerAdmin
from policy.ledger.ledger import RedisLedger, connect
from policy.ports import Granted, Reserve
from tests.support.generations import generation, vmta

ASK = Reserve("acme", "acme-pool", "a@acme.test", (("other", 1),))


async def test_counts_survive_and_nobody_sees_the_connection_that_died(tmp_path: Path) -> None:
    async with LocalValkey(tmp_path) as valkey:
        control, gateway = connect(valkey.url, repeats=1), connect(valkey.url)
        admin, ledger = LedgerAdmin(control), RedisLedger(gateway)
        await admin.open()
        await admin.publish(generation(vmta(1, daily=3)))
        assert isinstance((await ledger.decide([ASK])).decisions[0], Granted)
        assert valkey.pid is not None
        os.kill(valkey.pid, signal.SIGKILL)
        await valkey.restart()
        assert await admin.number() == 1
        decisions = (await ledger.decide([ASK, ASK, ASK])).decisions
        assert [isinstance(one, Granted) for one in decisions] == [True, True, False]
        _, usage = await admin.usage(["192.0.2.1"])
        assert usage["192.0.2.1"].relayed == 3
        await control.aclose()
        await gateway.aclose()
