"""Throughput and latency beside the wire and beside other servers.

One run measures `smtp-source → smtp-sink` direct, Sendgate, and each peer that is installed
(Postfix as before-queue proxy and as queue, Haraka), in turn: A B A B, so that whatever else the
machine does hits all of them. The *ratio* is the figure; messages a second depend on the machine.
Needs Postfix's smtp-source and smtp-sink. The product runs whole, as in production: logins, quotas,
provider ceilings and mailbox limits in Valkey with `appendfsync always`, stamping, log, metrics.

--quick compares a few cases with the committed baseline and fails when one is slower beyond noise.
--soak loads a stack for a time and fails when mail is lost, comes twice, or memory grows.
Exit status: 0 done, 1 failed or regressed (one line says why), 2 usage.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from loadtest.benchmark import compiled, haraka, peers, plot, regression, table
from loadtest.benchmark.case import Case, all_cases, chosen, quick_cases
from loadtest.benchmark.haraka import NoHarakaError
from loadtest.benchmark.latency import latency
from loadtest.benchmark.machine import machine
from loadtest.benchmark.measure import Plan, all_results
from loadtest.benchmark.options import Options, parse
from loadtest.benchmark.push import TOOLS
from loadtest.benchmark.record import Record
from loadtest.benchmark.result import Result
from loadtest.benchmark.soak import soak
from loadtest.postfix import NoPostfixError

QUICK_PUSH = 1.5
"""Seconds: five rounds of four cases, each also direct, stay well below 90 s."""


def main() -> int:
    options = parse(sys.argv[1:], __doc__)
    cases = chosen(quick_cases() if options.quick else all_cases(), options.only)
    if options.workers and not options.soak:
        cases = [case for case in cases if case.workers == options.workers]
    if options.list_:
        print("\n".join(case.name for case in cases))
        return 0
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return _failed(f"{', '.join(missing)} missing; on Debian: apt-get install postfix")
    # As Ctrl-C: the stack and the peers end with us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        compiled.use(interpreted=options.interpreted)
        if options.install:
            haraka.install(options.cache)
        if options.soak:
            return _soak(options)
        return _quick(options, cases) if options.quick else _full(options, cases)
    except (RuntimeError, NoPostfixError, NoHarakaError, OSError, msgspec.DecodeError) as error:
        return _failed(str(error))
    except subprocess.TimeoutExpired as error:
        return _failed(f"{error.cmd[0]} did not end within {error.timeout:g} s")
    except KeyboardInterrupt:
        return _failed("interrupted")


def _full(options: Options, cases: list[Case]) -> int:
    """Every case chosen, then latency."""
    with_latency = not options.only or options.only.lower() in "latency"
    if not cases and not with_latency:
        return _failed(f"no case is like {options.only!r}: --list names them")
    record = Record(machine=machine(), skipped=peers.skipped(options.cache, options.peers))
    for name, reason in record.skipped.items() if any(case.peers for case in cases) else ():
        print(f"without {name}: {reason}", file=sys.stderr)
    plan = Plan(
        rounds=options.rounds,
        scale=options.scale,
        injectors=options.injectors,
        peers=[name for name in peers.NAMES if name not in record.skipped],
        cache=options.cache,
    )
    for stack, results in all_results(cases, plan):
        record.appendfsync = stack.appendfsync()
        record.results += results
    if with_latency:
        record.latency = latency(options.rounds, options.latency_seconds)
    _print(record)
    _write(options, record)
    return 0


def _quick(options: Options, cases: list[Case]) -> int:
    """Judge some cases by the baseline; 1 when one has regressed."""
    if not cases:
        return _failed(f"no quick case is like {options.only!r}: --quick --list names them")
    baseline = None if options.save_baseline else regression.load(options.baseline)
    if baseline is not None and options.interpreted:
        print("not judged: the baseline is of the compiled product", file=sys.stderr)
        baseline = None
    cores = sorted(os.sched_getaffinity(0))
    if baseline is not None and len(cores) < baseline.machine.cores:
        print(f"not judged: the baseline is from {baseline.machine.cores} cores", file=sys.stderr)
        baseline = None
    elif baseline is not None:
        os.sched_setaffinity(0, cores[: baseline.machine.cores])

    def again(result: Result) -> bool:
        found = regression.judge(result, baseline) if baseline is not None else None
        if found is None or not found.low:
            return False
        print(f"again: {found}", file=sys.stderr, flush=True)
        return True

    record = Record(machine=machine())
    plan = Plan(
        rounds=options.rounds,
        scale=options.scale,
        injectors=options.injectors,
        longest=QUICK_PUSH,
    )
    for stack, results in all_results(cases, plan, again):
        record.appendfsync = stack.appendfsync()
        record.results += results
    _print(record)
    _write(options, record)
    if options.save_baseline:
        regression.save(options.baseline, record.machine, record.results)
        if any(regression.calm(result)[1] for result in record.results):
            print("bench: the baseline is from a busy machine: take it again", file=sys.stderr)
    if baseline is None:
        return 0
    verdicts = [found for r in record.results if (found := regression.judge(r, baseline))]
    print(*verdicts, sep="\n")
    worse = [found.case for found in verdicts if found.regressed]
    return _failed(f"slower than the baseline: {'; '.join(worse)}") if worse else 0


def _soak(options: Options) -> int:
    found = soak(
        options.soak,
        workers=options.workers or 1,
        connections=options.connections,
        injectors=options.injectors,
    )
    print(table.soak(found))
    _write(options, Record(machine=machine(), soak=found))
    faults = found.faults()
    return _failed("; ".join(faults)) if faults else 0


def _print(record: Record) -> None:
    """Every table that has rows."""
    results = record.results
    tables = [
        table.throughput(results),
        table.peers(results),
        table.headers(results),
        table.injector(results),
        table.resources(results),
    ]
    parts = tables if results else []
    if record.latency is not None:
        parts.append(table.latency(record.latency))
    parts += [f"Valkey: {record.appendfsync}"] if record.appendfsync else []
    print("\n\n".join(part for part in parts if part), flush=True)


def _write(options: Options, record: Record) -> None:
    if options.json is not None:
        _file(options.json).write_bytes(record.encode())
    if options.svg is not None and record.results:
        made = record.machine
        caption = f"{made.cores} cores, {made.cpu}, {made.python}, {made.revision or 'no revision'}"
        _file(options.svg).write_text(plot.plot(record.results, caption), encoding="utf-8")


def _file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _failed(why: str) -> int:
    print(f"bench: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
