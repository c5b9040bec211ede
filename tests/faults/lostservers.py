"""Both stores are destroyed under load, and a backup made under load is put back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from control.backup.key import new_key, read_key
from control.backup.make import make
from control.backup.putback import PutBack, put_back
from tests.faults.books import Quota
from tests.faults.conftest import Begin
from tests.faults.scenario import Scenario

PutsBack = Callable[[Scenario, Path, Path], Awaitable[set[str]]]
"""(scenario, backup, file with its key) to the ids of messages it names as gone."""


def _quotas(scale: int) -> dict[str, Quota]:
    """Far less than is offered: nearly all is held, and a day that counts twice shows."""
    return {"vmta-small": Quota(10 * scale), "vmta-large": Quota(60 * scale)}


async def as_told(scenario: Scenario, backup: Path, key: Path) -> set[str]:
    """As the runbook says."""
    stack = scenario.stack
    done: PutBack = await put_back(
        stack.settings,
        backup,
        read_key(key),
        who="test",
        replace="sendgate",
        logs=[stack.gateway.served.log],
    )
    assert done.restored is not None
    assert done.in_doubt == sum(done.manifest.waiting.values()) > 20
    return set(done.restored.unknown.logged)


@asynccontextmanager
async def destroyed(
    begin: Begin, scale: int, name: str, puts_back: PutsBack = as_told
) -> AsyncIterator[Scenario]:
    """What waited when the backup was made has since gone, in part; what was held since is in the
    destroyed database alone. Yields when mail may flow again."""
    scenario = await begin(
        name, quotas=_quotas(scale), load={"rate": 40.0}, control=True, hold={"claim": 8}
    )
    stack, receipts = scenario.stack, scenario.stack.pmta.receipts
    await stack.accounting_is_whole()
    key, backup = stack.folder / "backup.key", stack.folder / "of-before.backup"
    key.write_text(new_key(), encoding="utf-8")
    key.chmod(0o600)
    scenario.load.start()
    await scenario.load.until_offered(150 * scale)
    await make(stack.settings, backup, read_key(key))
    await scenario.load.until_offered(len(scenario.load.offers) + 30)
    before = len(receipts.read())
    await scenario.next_day()
    await scenario.until(lambda: len(receipts.read()) >= before + 20, "20 are released")
    stack.postgres.kill()
    stack.valkey.kill()
    await asyncio.sleep(1.0)
    await asyncio.gather(stack.gateway.stop(), stack.control.stop())
    stack.postgres.replace_disk()
    stack.valkey.wipe()
    await asyncio.gather(stack.postgres.restart(), stack.valkey.restart())
    named = await puts_back(scenario, backup, key)
    scenario.gone_with_primary = {
        recipient
        for line in stack.gateway.log_lines()
        if line.get("message") in named
        for recipient in line.get("recipients", ())
    }
    await asyncio.gather(stack.control.start(), stack.gateway.start())
    await stack.ledger.afresh()
    async with asyncio.timeout(90):
        while (await stack.ledger.standing()).incarnation == "":
            await asyncio.sleep(0.1)
    scenario.fault_ends()
    yield scenario
