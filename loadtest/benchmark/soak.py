"""Full load for a long time: nothing lost, nothing twice, memory flat.

Rule: the injector numbers its messages, our own sink counts each number. Lost is what was accepted
less what came, after the hold has drained; twice is what came again. Memory and descriptors of each
process are sampled every 5 s; growth is from the middle to the end, since the first half also
fills pools and caches. Valkey grows by one duplicate entry a message: that is kept on purpose.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from loadtest.benchmark import processes
from loadtest.benchmark.processes import Usage
from loadtest.benchmark.sinks import Count, counting
from loadtest.benchmark.stack import SMTP_PORT, Stack, stack
from loadtest.injection.tally import Tally

EVERY = 5.0
FLAT = 0.05
"""Growth of a worker's memory over the second half that still counts as flat."""
_OURS = re.compile(r"worker \d+|releaser \d+|supervisor|control")


class Sample(msgspec.Struct, frozen=True):
    """`at`: seconds since the start."""

    at: float
    usage: dict[str, Usage]


class Soak(msgspec.Struct):
    """The whole story."""

    seconds: float
    workers: int
    connections: int
    tally: Tally
    waiting: int
    """Messages still in the hold at the end."""
    count: Count
    samples: list[Sample]

    @property
    def lost(self) -> int:
        """Accepted and nowhere: neither at the sink nor held."""
        return self.tally.accepted - self.count.distinct - self.waiting

    def growth(self) -> dict[str, tuple[int, int]]:
        """Process to (octets of resident memory, descriptors) gained in the second half."""
        # Both under load: the first is taken before it begins, the last before it ends.
        first, last = self.samples[len(self.samples) // 2], self.samples[-1]
        return {
            name: (now.rss - then.rss, now.descriptors - then.descriptors)
            for name, now in last.usage.items()
            if (then := first.usage.get(name)) is not None
        }

    def faults(self) -> list[str]:
        """Everything that must not be; empty: a good run."""
        found = []
        if self.lost > 0:
            found.append(f"{self.lost} messages lost")
        if self.count.twice:
            found.append(f"{self.count.twice} messages twice")
        if self.tally.failed:
            found.append(f"{self.tally.failed} not accepted: {'; '.join(self.tally.trouble)}")
        middle = self.samples[len(self.samples) // 2].usage
        for name, (memory, _) in self.growth().items():
            if _OURS.fullmatch(name) and memory > FLAT * middle[name].rss:
                found.append(f"{name} grew by {memory / 2**20:.1f} MiB in the second half")
        return found


def soak(seconds: float, *, workers: int, connections: int = 50, injectors: int = 1) -> Soak:
    """Run. Raises RuntimeError when a part does not start."""
    command = [sys.executable, "-m", "loadtest.inject", f"127.0.0.1:{SMTP_PORT}", "--campaign"]
    command += ["--seconds", str(seconds), "--connections", str(connections), "--untimed"]
    command += ["--processes", str(injectors)]
    samples: list[Sample] = []
    with counting() as count, stack(workers) as running:
        started = time.monotonic()
        load = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        try:
            while load.poll() is None:
                samples.append(Sample(time.monotonic() - started, processes.usage(running.pid)))
                _say(samples[-1])
                with contextlib.suppress(subprocess.TimeoutExpired):
                    load.wait(timeout=EVERY)
        finally:
            if load.poll() is None:
                # The whole group: the injector's own processes would go on sending.
                os.killpg(load.pid, signal.SIGTERM)
            said, _ = load.communicate()
        if not said:
            raise RuntimeError("the injector ended without a count")
        tally = msgspec.json.decode(said, type=Tally)
        waiting = _drained(running)
    return Soak(seconds, workers, connections, tally, waiting, count, samples)


def _say(sample: Sample) -> None:
    total = sum(used.rss for used in sample.usage.values()) / 2**20
    workers = sum(u.rss for n, u in sample.usage.items() if n.startswith("worker")) / 2**20
    print(
        f"soak {sample.at:6.0f} s   workers {workers:6.1f} MiB   all {total:7.1f} MiB",
        file=sys.stderr,
        flush=True,
    )


def _drained(running: Stack) -> int:
    """Wait up to two minutes for the hold to empty; messages that still wait."""
    deadline = time.monotonic() + 120
    while waiting := _waiting(running):
        if time.monotonic() > deadline:
            break
    return waiting


def _waiting(running: Stack) -> int:
    command = [str(Path(sys.executable).with_name("sendgate")), "hold", "list", "--json"]
    done = subprocess.run(
        [*command, "--data-dir", str(running.folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"sendgate hold list: {done.stderr.strip()}")
    return int(json.loads(done.stdout)["all"]["messages"])
