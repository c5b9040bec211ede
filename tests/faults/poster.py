"""PowerMTA's webhook: posts what its accounting files say, in batches, each until it is answered.

As PowerMTA does it: receipts (r) are not among its records, a batch that was not answered 200 comes
again as it was, and the one behind it waits. Complaints (f) are in no file here: one for every few
deliveries, known by the webhook alone.
"""

import asyncio
import csv
import hashlib
import hmac
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from control.api.webhook import PATHS, SIGNATURE, TIMESTAMP

KEY = "k" * 32
"""Of its signatures (`accounting.webhook_key`)."""
BATCH = 25
"""Records: small, so that many are under way whatever is killed."""
COMPLAINT = 7
"""Deliveries of which one is complained about."""
POSTED = frozenset("dbtf")


class Poster:
    """`async with Poster(...)`: posts until it is left. `folder`: of accounting files."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._url = f"http://127.0.0.1:{port}{PATHS[0]}?server=pmta1"
        self._taken: dict[str, int] = {}
        self._waiting: list[dict[str, str]] = []
        self._task: asyncio.Task[None] | None = None
        self.files: Counter[str] = Counter()
        """Records of the files, by type."""
        self.complaints = 0
        self.unanswered = 0
        """Batches that had to come again."""
        self.answered = 0
        """Batches."""
        self.posted = 0
        """Records of batches that were answered."""

    async def __aenter__(self) -> "Poster":
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def idle(self) -> bool:
        """Whether everything in the files has been answered; raises what ended it."""
        assert self._task is not None
        if self._task.done():
            self._task.result()
        self._look()
        return not self._waiting

    def has_answers(self, count: int) -> bool:
        """Whether so many batches were answered."""
        return self.answered >= count

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=5.0)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                self._look()
                batch = self._waiting[:BATCH]
                if not batch:
                    await asyncio.sleep(0.05)
                    continue
                while not await self._posted(session, batch):
                    self.unanswered += 1
                    await asyncio.sleep(0.1)
                self.answered += 1
                self.posted += len(batch)
                del self._waiting[: len(batch)]

    async def _posted(self, session: aiohttp.ClientSession, batch: list[dict[str, str]]) -> bool:
        body = b"".join(json.dumps(record).encode() + b"\n" for record in batch)
        now = str(int(time.time()))
        digest = hmac.digest(KEY.encode(), f"{now}.".encode() + body, hashlib.sha256).hex()
        headers = {TIMESTAMP: now, SIGNATURE: f"sha256={digest}"}
        try:
            async with session.post(self._url, data=body, headers=headers) as response:
                assert response.status not in (400, 401, 403, 413), await response.text()
                return response.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    def _look(self) -> None:
        for record in self._records():
            kind = record["type"]
            self.files[kind] += 1
            if kind in POSTED:
                self._waiting.append(record)
            if kind == "d" and self.files["d"] % COMPLAINT == 0:
                names = ("timeLogged", "orig", "rcpt", "envId")
                told = {name: record[name] for name in names}
                self._waiting.append({"type": "f", "feedbackType": "abuse", **told})
                self.complaints += 1

    def _records(self) -> Iterator[dict[str, str]]:
        """Those that were written since the last look. Whole lines: the writer may be at work."""
        for path in sorted(self._folder.glob("*-*.csv")):
            with path.open("rb") as file:
                header = file.readline()
                start = self._taken.get(path.name, len(header))
                file.seek(start)
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._taken[path.name] = start + len(whole)
            yield from csv.DictReader([header.decode(), *whole.decode().splitlines()])
