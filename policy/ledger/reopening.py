"""Opening a ledger again at once after a restart of its own server.

Owns: what must be true for that. Only a ledger that its settings call `single` comes here: one
server that has no replica and syncs its append-only file before every answer has lost nothing
when it is back under another run id. A server that was promoted from a replica, or does not
sync, may have: its ledger stays closed until it is rebuilt (policy/README.md: ledger loss).
"""

from typing import Any

from redis.exceptions import ResponseError

from policy.ledger.connection import ask, fields
from policy.ledger.scripts import source

NOT_SINGLE = (
    "the ledger's server was restarted or replaced, and ledger.single does not say that this "
    "loses nothing"
)


def closed(incarnation: str, run: str, server: str) -> str:
    """Why a ledger opened on process `run` is closed for a connection to `server`; '' if not."""
    if not incarnation:
        return "the ledger has not been opened"
    if not server:
        return "the ledger's user may not ask for INFO"
    return "" if run == server else NOT_SINGLE


def restart_problems(info: dict[str, str], config: dict[str, str]) -> list[str]:
    """Why a restart of this server may have lost counts, as sentences."""
    found = []
    if info.get("role") != "master":
        found.append(f"its role is {info.get('role', 'unknown')}, not master")
    if info.get("connected_slaves") != "0":
        found.append(f"it has {info.get('connected_slaves', 'unknown')} replicas")
    # Set when a replica becomes master, and gone with the next restart.
    if info.get("second_repl_offset", "-1") != "-1":
        found.append("it was a replica until it was promoted")
    if info.get("aof_enabled") != "1":
        found.append("its append-only file is off")
    for name, wanted in (
        ("appendfsync", "always"),
        ("no-appendfsync-on-rewrite", "no"),
        ("maxmemory-policy", "noeviction"),
    ):
        if config.get(name) != wanted:
            found.append(f"`{name}` is {config.get(name, 'unknown')}, not {wanted}")
    return found


async def setup_problems(connection: Any) -> list[str]:
    """Why a restart of this server may lose counts, as sentences. Raises redis-py's errors."""
    info: dict[str, str] = {}
    for section in ("replication", "persistence"):
        info |= fields(await ask(connection, "INFO", section))
    config = _config(await ask(connection, "CONFIG", "GET", "*append*"))
    config |= _config(await ask(connection, "CONFIG", "GET", "maxmemory-policy"))
    return restart_problems(info, config)


async def reopen(connection: Any, root: str, incarnation: str, run: str) -> str:
    """Write the run id of the connection's server over `run`, if nothing can have been lost.

    Returns '' when the ledger is open again, else why not. Raises redis-py's errors."""
    try:
        problems = await setup_problems(connection)
    except ResponseError as error:
        return f"the ledger's server was restarted, and its set-up cannot be read ({error})"
    if problems:
        return f"the ledger's server was restarted or replaced: {'; '.join(problems)}"
    script = source("reopen")
    answer = await ask(connection, "EVAL", script, 1, root, incarnation, run, connection.run)
    return "" if answer == 1 else "the ledger was closed meanwhile"


def _config(answer: Any) -> dict[str, str]:
    """A CONFIG GET reply: a map by RESP3, a flat list by RESP2."""
    pairs = (
        answer.items() if isinstance(answer, dict) else zip(answer[::2], answer[1::2], strict=True)
    )
    return {name.decode(): value.decode() for name, value in pairs}
