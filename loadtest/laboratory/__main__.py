"""The load laboratory: a scenario against a whole stack, judged by PowerMTA's own books.

    python -m loadtest.laboratory --scenario ci|ten-minutes|ten-minutes-short|day|FILE.toml
    python -m loadtest.laboratory --from-csv TRAFFIC.csv [--output FILE.toml]

Exit status: 0 all invariants hold, 1 one does not or the run could not be finished, 2 usage.
"""

import asyncio
import signal
import sys
from pathlib import Path

import msgspec
import uvloop

from loadtest.laboratory.api import ApiError
from loadtest.laboratory.clients import NoConnectionError
from loadtest.laboratory.fromcsv import from_csv
from loadtest.laboratory.options import Options, parse
from loadtest.laboratory.progress import Shown
from loadtest.laboratory.reading import ScenarioError, load
from loadtest.laboratory.report import report
from loadtest.laboratory.result import Result
from loadtest.laboratory.run import run
from loadtest.laboratory.scenario import Scenario
from loadtest.laboratory.stack import StackError


def main() -> int:
    options = parse(sys.argv[1:], __doc__)
    try:
        if options.from_csv is not None:
            return _made(options, from_csv(options.from_csv))
        scenario = load(options.scenario)
    except ScenarioError as error:
        for line in str(error).splitlines():
            print(f"load: {line}", file=sys.stderr)
        return _failed(options, error.problems, code=2, said=True)
    try:
        result = uvloop.run(_until_told(scenario, options))
    except (StackError, ApiError, NoConnectionError, OSError) as error:
        return _failed(options, [str(error)])
    except (asyncio.CancelledError, KeyboardInterrupt):
        print("load: interrupted, and not judged", file=sys.stderr)
        return 130
    return _shown(options, result)


async def _until_told(scenario: Scenario, options: Options) -> Result:
    """SIGTERM and SIGINT end the stack in order."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with Shown() as shown:
        return await run(scenario, shown, options.keep)


def _made(options: Options, text: str) -> int:
    """A scenario from traffic."""
    if options.output is not None and not _written(options.output, text):
        return 1
    if options.json:
        print(msgspec.json.encode({"scenario": text}).decode())
    elif options.output is None:
        print(text, end="")
    else:
        print(f"written: {options.output}; `sendgate load --scenario {options.output}` runs it")
    return 0


def _written(file: Path, text: str) -> bool:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        print(f"load: {file}: cannot be written: {error.strerror}", file=sys.stderr)
        return False
    return True


def _failed(options: Options, problems: list[str], code: int = 1, *, said: bool = False) -> int:
    if not said:
        for text in problems:
            print(f"load: {text}", file=sys.stderr)
    if options.json:
        print(msgspec.json.encode({"ok": False, "problems": problems}).decode())
    return code


def _shown(options: Options, result: Result) -> int:
    text = msgspec.json.encode(result).decode()
    whole = True
    if options.output is not None:
        whole &= _written(options.output, msgspec.json.format(text, indent=1) + "\n")
    if options.report is not None:
        whole &= _written(options.report, report(result))
    if options.json:
        print(text)
    else:
        found = result.figures
        for one in result.invariants:
            print(f"{one.name:16} {one.said}: {one.means}")
            for what in one.first:
                print(f"{'':16}   {what}")
        if result.paused:
            print(f"paused by warm-up: {', '.join(result.paused)}")
        print(
            f"{found.offered} offered, {found.taken} taken, {found.waiting} wait, in "
            f"{result.run_seconds:.0f} s after {result.setup_seconds:.0f} s of set-up"
        )
    return 0 if result.ok and whole else 1


if __name__ == "__main__":
    sys.exit(main())
