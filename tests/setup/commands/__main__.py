"""Runs every command of README and the documents of operators, in order, as they stand.

`python -m tests.setup.commands [FOLDER]`, which is made: a stack of its own in a folder of its own.
`table.toml` has the words this machine has elsewhere, and the commands it cannot run, each with its
reason. Prints document, line, exit code, seconds and command; exit code 1 when one failed, or a
command or an entry of the table is gone.
"""

import asyncio
import os
import shutil
import signal
import smtplib
import sys
import tempfile
import time
from pathlib import Path

import asyncpg

from tests.setup.commands.document import Step, steps
from tests.setup.commands.stack import PASSWORD, Stack, prepare, stack
from tests.setup.commands.table import Table, table
from tests.support.commandlines import commands, unknown_sendgate
from tests.support.repository import ROOT

PAGES = (
    *("install", "first-hour", "running", "upgrade", "people", "replies", "warm-up", "why"),
    *("hold", "recipients", "rounds"),
)
DOCUMENTS = (
    "README.md",
    *(f"deploy/runbook/{page}.md" for page in PAGES),
    "deploy/POWERMTA.md",
    "deploy/runbook/accounting.md",
    "deploy/RECOVERY.md",
    "DEVELOPING.md",
)
"""In the order in which an operator meets them: each goes on where the one before ended."""
PATIENCE = 120.0
READY = b"ready "


class Run:
    """All documents, one shell."""

    def __init__(self, made: Stack, mapping: Table) -> None:
        self._made = made
        self._table = mapping
        self._state = made.root / "tmp" / "shell"
        self._background: asyncio.subprocess.Process | None = None
        self._sent = False
        self.failed: list[str] = []

    async def all(self) -> None:
        """In the documents' order."""
        said: list[str] = []
        for document in DOCUMENTS:
            await self._begin(document)
            for step in steps(document, (ROOT / document).read_text("utf-8")):
                if step.kind == "sh":
                    said.append(step.text)
                await self._step(step)
        await self._end_background()
        self.failed += [
            f"table.toml: no command begins with {x!r}" for x in self._table.unused(said)
        ]

    async def _begin(self, document: str) -> None:
        """README has a stack of its own; the others go on with each other's."""
        if document == DOCUMENTS[1]:
            await self._end_background()
        if document in DOCUMENTS[:2]:
            where = self._made.root / ("readme" if document == "README.md" else "")
            names = "\n".join(
                f"export {name}={_quoted(value)}"
                for name, value in self._made.environment().items()
            )
            self._state.write_text(f"{names}\ncd {_quoted(str(where))}\n")

    async def _step(self, step: Step) -> None:
        if step.kind == "toml":
            text = self._table.mapped(step.text, self._made.named)
            self._made.configure(text)
            return
        began = time.monotonic()
        try:
            code, said = await self._run(step.text)
        except (OSError, smtplib.SMTPException, asyncpg.PostgresError) as error:
            code, said = 126, f"what it needs cannot be had: {error!r}"
        right = code in self._table.codes(step.text)
        if not right:
            self.failed.append(f"{step.document}:{step.line}: {step.text}: exit {code}\n{said}")
        took = time.monotonic() - began
        mark = " " if right else "!"
        if not right:
            print(said, flush=True)
        print(
            f"{mark} {step.document}:{step.line:<4} {code:>3} {took:6.2f} s  {step.text}"[:150],
            flush=True,
        )

    async def _run(self, text: str) -> tuple[int, str]:
        """(exit code, the end of what it said)."""
        unknown = [
            w
            for c in commands(f"```sh\n{text}\n```\n")
            if c[0] == "sendgate" and (w := unknown_sendgate(c))
        ]
        if unknown:
            return 127, f"sendgate does not know {unknown[0]}"
        if (line := self._table.entry(self._table.stays, text, self._made.named)) is not None:
            return await self._stay(line)
        other = self._table.entry(self._table.instead, text, self._made.named)
        line = other or text
        if any(word in line for word in ("MESSAGE", "ENVELOPE", "sendgate hold", "journalctl")):
            await self._mail()
        if "MESSAGE" in line:
            line = line.replace("MESSAGE", await self._made.message(line))
        if "ENVELOPE" in line:
            line = line.replace("ENVELOPE", await self._made.envelope())
        if other is None:
            line = self._table.mapped(line, self._made.named)
        code, said = await self._shell(line)
        # One for a narrower role is for somebody else: what follows is the operator's.
        if text.startswith("sendgate token add") and not {"--role", "--scope"} & set(text.split()):
            self._made.named["token"] = said.split()[-1] if said.split() else ""
            await self._shell(f"export SENDGATE_TOKEN={self._made.named['token']}")
        return code, said

    async def _mail(self) -> None:
        if not self._sent:
            self._sent = True
            await asyncio.to_thread(self._made.send)
            await asyncio.sleep(3)  # control reads what became of it once a second

    async def _shell(self, line: str) -> tuple[int, str]:
        state = _quoted(str(self._state))
        script = (
            f"set -o pipefail\nsource {state}\n{line}\ncode=$?\n"
            f"{{ export -p; printf 'cd %q\\n' \"$PWD\"; }} > {state}\nexit $code\n"
        )
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", script),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={"PATH": os.environ["PATH"]},
            start_new_session=True,
        )
        # `createuser --pwprompt` asks twice.
        answers = f"{PASSWORD}\n" * 2 if "--pwprompt" in line else ""
        try:
            async with asyncio.timeout(PATIENCE):
                out, _ = await process.communicate(answers.encode())
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            return 124, f"still runs after {PATIENCE:g} s"
        assert process.returncode is not None
        return process.returncode, out.decode("utf-8", "replace")[-2000:]

    async def _stay(self, line: str) -> tuple[int, str]:
        await self._end_background()
        folder = self._made.root / f"readme-{time.monotonic_ns()}"
        folder.mkdir()
        (folder / ".venv").symlink_to(ROOT / ".venv")
        self._background = await asyncio.create_subprocess_exec(
            *("bash", "-c", f"exec {line}"),
            cwd=folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "SENDGATE_DOTENV": "/nonexistent"},
            start_new_session=True,
        )
        out = self._background.stdout
        assert out is not None
        async with asyncio.timeout(PATIENCE):
            first = await out.readline()
        await self._shell(f"cd {_quoted(str(folder))}")
        return (0, "") if first.startswith(READY) else (1, first.decode())

    async def _end_background(self) -> None:
        if self._background is not None and self._background.returncode is None:
            self._background.send_signal(signal.SIGTERM)
            await self._background.communicate()
        self._background = None


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


async def run(root: Path) -> list[str]:
    """What failed."""
    mapping = table()
    async with stack(root) as made:
        running = Run(made, mapping)
        try:
            await running.all()
        finally:
            await running._end_background()
            await running._shell("systemctl stop sendgate-gateway; systemctl stop sendgate-control")
    return running.failed


def main() -> int:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="sendgate-commands-"))
    root.mkdir(exist_ok=True)
    root.chmod(0o755)
    prepare(root.absolute())
    failed = asyncio.run(run(root.absolute()))
    print("\n".join(failed) or "every command of the documents does what it did")
    if not failed:
        shutil.rmtree(root)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
