"""Throughput beside the wire: `smtp-source → smtp-sink` direct, then through Sendgate.

One run measures both, interleaved A B A B, so that whatever else the machine does hits both;
the *ratio* is the figure. Needs Postfix's smtp-source and smtp-sink. The whole product runs as
in production: login by source network, quota and provider ceilings in Valkey with
`appendfsync always`, stamping, JSON log, metrics. The sink accepts everything and stores nothing.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

POSTFIX = ("smtp-source", "smtp-sink")
SINK_PORT = 2598
SMTP_PORT = 2597
API_PORT = 8097


class Case(msgspec.Struct, frozen=True):
    """One load: octets of body, sessions, messages, and whether connections are kept."""

    name: str
    size: int
    sessions: int
    messages: int
    kept: bool


class Result(msgspec.Struct):
    """Messages a second, every round, and the ratio of the medians."""

    case: Case
    direct: list[float]
    sendgate: list[float]

    @property
    def ratio(self) -> float:
        return statistics.median(self.sendgate) / statistics.median(self.direct)


def cases(scale: float) -> list[Case]:
    """The standard loads; `scale` shortens them."""
    return [
        Case("4 KB kept-alive", 4096, 20, int(20_000 * scale), kept=True),
        Case("40 KB kept-alive", 40_960, 20, int(8_000 * scale), kept=True),
        Case("4 KB one connection each", 4096, 20, int(8_000 * scale), kept=False),
    ]


def push(case: Case, port: int) -> float:
    """Messages a second. Raises RuntimeError when a message was not accepted."""
    command = ["smtp-source", "-f", "news@bench.example", "-t", "you@dest.example"]
    command += ["-l", str(case.size), "-s", str(case.sessions), "-m", str(case.messages)]
    command += ["-d"] if case.kept else []
    started = time.perf_counter()
    done = subprocess.run(
        [*command, f"127.0.0.1:{port}"], capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - started
    if done.returncode or done.stderr:
        raise RuntimeError(f"smtp-source: {done.stderr.strip()[:300]}")
    return case.messages / seconds


def sendgate(*arguments: str) -> None:
    """Run one command of the stack under test."""
    command = [str(Path(sys.executable).with_name("sendgate")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"sendgate {' '.join(arguments)}: {done.stderr.strip()}")


@contextlib.contextmanager
def sink() -> Iterator[None]:
    """Postfix's sink, accepting everything."""
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    process = subprocess.Popen(
        ["smtp-sink", *user, f"127.0.0.1:{SINK_PORT}", "1000"], stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def stack(workers: int) -> Iterator[str]:
    """The whole product in a throw-away folder, in front of the sink; yields the folder."""
    with tempfile.TemporaryDirectory(prefix="sendgate-bench-") as folder:
        where = ("--data-dir", folder)
        process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("sendgate")), "up", "--no-demo", *where,
                "--pmta", f"127.0.0.1:{SINK_PORT}", "--smtp-port", str(SMTP_PORT),
                "--api-port", str(API_PORT), "--workers", str(workers),
            ],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            if not process.stdout.readline().startswith("ready"):
                raise RuntimeError("the stack did not start")
            network = ("--network", "127.0.0.0/8")
            login = ("--login", "bench", "--password", "bench-bench-bench")
            sendgate("tenant", "add", "bench", *login, *network, *where)
            quota = ("--quota", "100000000", "--hourly-share", "1.0")
            for number in (1, 2):
                ip = ("--ip", f"192.0.2.{number}")
                domain = "bench.example" if number == 1 else "second.bench.example"
                sendgate(
                    "domain", "add", "--tenant", "bench", "--domain", domain, *ip, *quota, *where
                )
            yield folder
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def measure(rounds: int, scale: float, workers: int) -> list[Result]:
    """All cases, each `rounds` times direct and through Sendgate in turn."""
    results = []
    with sink(), stack(workers):
        for case in cases(scale):
            result = Result(case, [], [])
            for _ in range(rounds):
                result.direct.append(push(case, SINK_PORT))
                result.sendgate.append(push(case, SMTP_PORT))
            results.append(result)
            print(
                f"{case.name:26} direct {statistics.median(result.direct):8.0f}/s   "
                f"sendgate {statistics.median(result.sendgate):8.0f}/s   "
                f"ratio {result.ratio:.2f}",
                flush=True,
            )
    return results


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a tenth of the messages, one round")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    if missing := [tool for tool in POSTFIX if shutil.which(tool) is None]:
        print(f"bench: {', '.join(missing)} missing: install Postfix", file=sys.stderr)
        return 1
    rounds, scale = (1, 0.1) if options.quick else (options.rounds, 1.0)
    results = measure(rounds, scale, options.workers)
    if options.json:
        figures = {
            "machine": f"{os.cpu_count()} cores, {platform.machine()}, loopback",
            "workers": options.workers,
            "sink": "smtp-sink, accepts everything, stores nothing",
            "results": [{**msgspec.to_builtins(r), "ratio": round(r.ratio, 3)} for r in results],
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
