"""The load test's own sink in a process, on a free port."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator


class RunningSink:
    """Its port; what it counted, once left."""

    port = 0
    counted: dict[str, int]


@contextlib.contextmanager
def running_sink(*arguments: str) -> Iterator[RunningSink]:
    process = subprocess.Popen(
        [sys.executable, "-m", "loadtest.sink", *arguments], stdout=subprocess.PIPE, text=True
    )
    found = RunningSink()
    try:
        assert process.stdout is not None
        found.port = int(process.stdout.readline().rpartition("=")[2])
        yield found
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=20)
    found.counted = json.loads(said)
