"""One child process: started with its lock, watched, ended within a bound.

Popen rather than asyncio's own: a child of asyncio belongs to the event loop that started it
and is killed when that loop closes, while these servers may outlive a loop (tests) and a loop's
policy (uvloop). Waiting polls, which costs a waitpid every few milliseconds and works anywhere.
"""

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import IO

from control.embedded.servers.account import Account
from control.embedded.servers.lock import record

LOG_LIMIT = 8 * 1024 * 1024


def _modules() -> dict[str, str]:
    """Where our own code comes from: a compiled product starts a compiled gateway. The child starts
    in another folder."""
    found = {}
    if path := os.environ.get("PYTHONPATH"):
        found["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, path.split(os.pathsep)))
    if safe := os.environ.get("PYTHONSAFEPATH"):
        found["PYTHONSAFEPATH"] = safe
    return found


class ChildProcess:
    """A running server, or a finished one until it is thrown away."""

    def __init__(
        self,
        argv: list[str],
        *,
        log: Path,
        lock: int,
        account: Account | None = None,
        death_signal: signal.Signals,
    ) -> None:
        """Start `argv`; `lock` is a locked descriptor that passes to the child alone.

        The child starts with a clean environment (no PG* settings reach it, none of our secrets
        do; where modules are found stays) and in a session of its own: Ctrl-C in a terminal is for
        the supervisor, which drains the gateway before it ends the servers.
        """
        account = account or Account()
        self.log = log
        try:
            with _open_log(log) as output:
                self._popen = subprocess.Popen(
                    account.command(argv, death_signal),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    pass_fds=(lock,),
                    cwd="/",
                    env={
                        "PATH": os.environ.get("PATH", os.defpath),
                        "LC_ALL": "C",
                        "TZ": "UTC",
                        **_modules(),
                    },
                    start_new_session=True,
                    umask=0o077,
                    user=account.popen_uid,
                    group=None if account.popen_uid is None else account.gid,
                    extra_groups=None if account.popen_uid is None else [],
                )
            try:
                record(lock, self._popen.pid)
            except OSError:
                # Nobody could find it again, and it holds the lock.
                self._popen.kill()
                self._popen.wait()
                raise
        finally:
            os.close(lock)

    def __repr__(self) -> str:
        code = self.returncode
        return f"<ChildProcess {self.pid}: {'running' if code is None else f'ended {code}'}>"

    @property
    def pid(self) -> int:
        """The server's pid: setpriv execs it, so it is the one we started."""
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; minus the signal if one ended it."""
        return self._popen.poll()

    async def wait(self, timeout: float) -> bool:
        """Whether it ended within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while self.returncode is None:
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(0.01)
        return True

    async def end(self, ask: signal.Signals, timeout: float) -> bool:
        """Ask it to end, and kill it after `timeout` seconds; whether asking was enough."""
        self._popen.send_signal(ask)
        if await self.wait(timeout):
            return True
        self._popen.kill()
        await self.wait(5.0)
        return False

    def fate(self) -> str:
        """How it ended, and the last lines of its log, for an error text."""
        code = self.returncode
        if code is None:
            how = "still running"
        elif code < 0:
            how = f"ended by {signal.Signals(-code).name}"
        else:
            how = f"ended with exit code {code}"
        return f"{how}; the end of {self.log}:\n{tail(self.log)}"


def tail(log: Path, lines: int = 10) -> str:
    """The last lines of a log file."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 8192))
        text = file.read().decode("utf-8", "replace")
    return "\n".join(f"  {line}" for line in text.splitlines()[-lines:]) or "  (empty)"


def _open_log(path: Path) -> IO[bytes]:
    """The log to append to; a long one is put aside, since nobody else rotates it."""
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_name(path.name + ".1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
