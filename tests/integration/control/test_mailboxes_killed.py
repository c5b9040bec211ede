"""Control is killed again and again while it takes a list of mailboxes: all of it, or nothing."""

import asyncio
import contextlib
import random
import sys

import msgspec

from control.parts import Parts
from tests.integration.control.test_mailboxes import acme
from tests.support.control.core import Api

KILLS = 8
ROWS = 3_000

CHILD = """
import asyncio, sys, msgspec
from control.mailboxes import importing
from control.mailboxes.importing import MailboxList
from control.parts import open_parts
from tests.support.control.core import settings_for

async def main(database, ledger, secret, rows, most):
    settings = settings_for(database, ledger, secret=secret)
    async with open_parts(settings, movable_clock=True) as parts:
        print("ready", flush=True)
        while True:
            most += 1
            lines = "\\n".join(f"m{n}@acme.example,{most}" for n in range(rows))
            text = MailboxList(csv=f"address,daily_max\\n{lines}\\n")
            await parts.publisher.change("t", lambda act: importing.take(act, "acme", text))
            print(most, flush=True)

asyncio.run(main(*msgspec.json.decode(sys.argv[1])))
"""


async def test_kill_9_anywhere_in_an_import_leaves_nothing_half(api: Api, core: Parts) -> None:
    await acme(api)
    dice, seen = random.Random(7), set()
    for kill in range(KILLS):
        of = core.settings
        asked = msgspec.json.encode(
            (of.database.url, of.ledger.url, of.control.secret, ROWS, 1000 * kill)
        ).decode()
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, asked, stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        assert await child.stdout.readline() == b"ready\n"
        # However busy the machine is, two of them come to an end.
        patience = None if kill in (0, 4) else 5 * dice.random()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(child.stdout.readline(), patience)
        await asyncio.sleep(0.5 * dice.random())
        child.kill()
        await child.wait()
        rows = await core.pool.fetch(
            "SELECT daily_max, count(*) AS rows FROM mailbox GROUP BY daily_max"
        )
        assert [row["rows"] for row in rows] in ([], [ROWS])
        seen.add(rows[0]["daily_max"] if rows else None)
    # The next change takes the ledger with it.
    await core.publisher.reconcile()
    generation = await core.publisher.current()
    assert generation is not None
    most = {one.daily_max for one in generation.tenant["acme"].mailboxes.values()}
    assert most <= seen
    assert len(most) <= 1
    assert await core.admin.number() == generation.number
    assert len(seen) > 1
