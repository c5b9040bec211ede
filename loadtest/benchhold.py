"""Durable accept beside Postfix's queue: the same `smtp-source` run, a real newsletter as body.

Both sync every message to disk before they answer. Sendgate holds all of it, for its only IP has
a quota of 0; Postfix puts all of it on hold. Neither delivers anything meanwhile. Rounds are
interleaved A B A B; the *ratio* of the medians is the figure. Mail without campaign ids, so
nothing is suppressed as a duplicate.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from loadtest.benchmark import compiled
from loadtest.benchmark.push import TOOLS
from loadtest.benchmark.sinks import sink
from loadtest.benchmark.stack import SMTP_PORT, sendgate, stack
from loadtest.newsletter import newsletter
from loadtest.postfix import NoPostfixError, postfix

POSTFIX_PORT = 2596
SIZES = {"4 KB newsletter": 4096, "40 KB newsletter": 40_960}
NEEDED = {"4 KB newsletter": 3.0, "40 KB newsletter": 1.5}


class Result(msgspec.Struct):
    """Messages a second, every round."""

    name: str
    octets: int
    sessions: int
    messages: int
    postfix: list[float] = []
    sendgate: list[float] = []

    @property
    def ratio(self) -> float:
        return statistics.median(self.sendgate) / statistics.median(self.postfix)


def push(file: Path, result: Result, port: int) -> float:
    """Messages a second. Raises RuntimeError when one was not accepted."""
    command = ["smtp-source", "-d", "-f", "news@bench.example", "-t", "you@dest.example"]
    command += ["-F", str(file), "-s", str(result.sessions), "-m", str(result.messages)]
    started = time.perf_counter()
    done = subprocess.run(
        [*command, f"127.0.0.1:{port}"], capture_output=True, text=True, check=False, timeout=300
    )
    seconds = time.perf_counter() - started
    if done.returncode or done.stderr:
        raise RuntimeError(f"smtp-source: {done.stderr.strip()[:300]}")
    return result.messages / seconds


def measure(rounds: int, messages: int, sessions: int, workers: int) -> list[Result]:
    """Both sizes, `rounds` times each in turn."""
    results = []
    with (
        sink(),
        stack(workers) as running,
        postfix(POSTFIX_PORT),
        tempfile.TemporaryDirectory() as t,
    ):
        for ip in ("192.0.2.1", "192.0.2.2"):
            sendgate("ip", "set", ip, "--quota", "0", "--data-dir", str(running.folder))
        for name, size in SIZES.items():
            content = newsletter(size)
            file = Path(t) / "newsletter.eml"
            # smtp-source writes CRLF itself.
            file.write_bytes(content.replace(b"\r\n", b"\n"))
            result = Result(name, len(content), sessions, messages)
            for _ in range(rounds):
                result.postfix.append(push(file, result, POSTFIX_PORT))
                result.sendgate.append(push(file, result, SMTP_PORT))
            results.append(result)
            print(
                f"{name:18} postfix {statistics.median(result.postfix):7.0f}/s   "
                f"sendgate {statistics.median(result.sendgate):7.0f}/s   "
                f"ratio {result.ratio:.2f} (at least {NEEDED[name]})",
                flush=True,
            )
    return results


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchhold", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=6000)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures there")
    compiled.option(parser)
    options = parser.parse_args()
    if missing := [tool for tool in (*TOOLS, "postfix") if shutil.which(tool) is None]:
        print(f"benchhold: {', '.join(missing)} missing: install Postfix", file=sys.stderr)
        return 1
    try:
        compiled.use(interpreted=options.interpreted)
        results = measure(options.rounds, options.messages, options.sessions, options.workers)
    except (NoPostfixError, RuntimeError) as error:
        print(f"benchhold: {error}", file=sys.stderr)
        return 1
    if options.json:
        figures = {
            "machine": f"{os.cpu_count()} cores, {platform.machine()}, loopback, one disk",
            "workers": options.workers,
            "postfix": "smtpd and cleanup, everything on hold",
            "results": [{**msgspec.to_builtins(r), "ratio": round(r.ratio, 3)} for r in results],
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
