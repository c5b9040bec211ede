"""PostgreSQL's data directory ("cluster" in its manual): made by initdb, whole or not at all."""

import os
import shutil
import signal
from pathlib import Path

from control.embedded.servers.account import Account
from control.embedded.servers.error import LocalPartError
from control.embedded.servers.leftover import Leftover
from control.embedded.servers.process import ChildProcess
from control.store.files import sync_directory, write_private


async def create_cluster(
    directory: Path,
    *,
    initdb: Path,
    account: Account,
    user: str,
    password: str,
    log: Path,
    leftover: Leftover,
    timeout: float,
) -> None:
    """Initialise `directory`, with `user` as its superuser; `timeout` is in seconds.

    Made under another name and renamed at the end, so that an initdb that was cut short is
    begun again instead of being taken for a database. Nothing in a cluster names its own path.
    """
    unfinished = directory.with_name(directory.name + ".unfinished")
    secret = directory.with_name("initdb-password")
    # An initdb of a supervisor that died holds the server's lock: it must not write below us.
    lock = await leftover.end(timeout)
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        account.own(unfinished)
        write_private(secret, password + "\n")
        account.own(secret)
    except BaseException:
        os.close(lock)
        raise
    try:
        process = ChildProcess(
            [
                *(str(initdb), "-D", str(unfinished), "-U", user),
                *("--encoding=UTF8", "--locale=C"),
                # Byte order for indexes, as in C, but upper() and lower() know Unicode.
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                *("--auth=scram-sha-256", f"--pwfile={secret}"),
                *("--data-checksums", "--no-instructions"),
            ],
            log=log,
            lock=lock,
            account=account,
            death_signal=signal.SIGKILL,
        )
        if not await _finished(process, timeout) or process.returncode != 0:
            raise LocalPartError(f"PostgreSQL's initdb failed: {process.fate()}")
    finally:
        secret.unlink(missing_ok=True)
    unfinished.rename(directory)
    sync_directory(directory.parent)


async def _finished(process: ChildProcess, timeout: float) -> bool:
    try:
        return await process.wait(timeout)
    finally:
        if process.returncode is None:
            await process.end(signal.SIGTERM, 5.0)
