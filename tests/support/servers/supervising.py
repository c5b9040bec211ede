"""A supervising process to kill.

`python -m tests.support.servers.supervising valkey|postgres DIR main|side` supervises that server
from its main thread or from a side thread, and prints "URL PID" once it answers.
"""

import asyncio
import sys
import threading
from pathlib import Path

from control.embedded.servers.postgres import LocalPostgres
from control.embedded.servers.valkey import LocalValkey

PARTS = {"valkey": LocalValkey, "postgres": LocalPostgres}


async def main() -> None:
    async with PARTS[sys.argv[1]](Path(sys.argv[2])) as part:
        print(part.url, part.pid, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.argv[3] == "side":
        threading.Thread(target=asyncio.run, args=(main(),)).start()
    else:
        asyncio.run(main())
