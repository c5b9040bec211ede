"""A backup put back: into the database that the settings name, with nothing sent twice.

Order: the file is read to its seal before anybody is asked; the database is replaced in one
transaction, in which what waits is put in doubt; the ledger is closed before that is committed, so
that there is no moment at which a gateway could send what went since (policy/README.md: ledger
loss). Then as after any restore (`control.ledger.restore`): what is in doubt ends by PowerMTA's
accounting, and control rebuilds the ledger before it opens.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from redis.exceptions import RedisError

from control.backup.clienttools import Tools, database_of, tools_for
from control.backup.entries import LEDGER, Begin, read
from control.backup.key import Key
from control.backup.ledgercounts import raised
from control.backup.loading import load
from control.backup.make import LONGEST
from control.backup.manifest import Manifest
from control.backup.progress import Told, unheard
from control.backup.verify import opened, verify, whole
from control.ledger.restore import Restored, restore
from control.problem import RefusedError
from control.store.database import Connection, open_pool
from control.store.lastused import fingerprint
from control.store.refusal import UNREACHABLE, no_database
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from policy.ledger.known import Counters
from policy.limits import day_of
from policy.number import count
from settings.model import Settings
from settings.statements import statements

_SQL = statements(__package__, "backup")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What stands where the backup is to go."""

    objects: int
    """Tables, views and sequences; 0: the database is empty."""
    waiting: dict[str, int] = {}
    at_work: list[str] = []
    """Processes of ours that have to be stopped first."""


class PutBack(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, or (`dry_run`) would be."""

    dry_run: bool
    database: str
    manifest: Manifest
    replaced: Found
    schema: str
    """Revision afterwards."""
    in_doubt: int
    counters: int = 0
    """IP days of the ledger that were raised to what the backup had."""
    restored: Restored | None = None


async def put_back(
    settings: Settings,
    file: Path,
    key: Key,
    *,
    who: str,
    replace: str = "",
    reason: str = "",
    dry: bool = False,
    logs: Sequence[Path] = (),
    told: Told = unheard,
) -> PutBack:
    """`replace`: the database's name, said by who knows that what is in it goes. Raises
    RefusedError, BrokenBackupError; nothing was changed then, or the text says how far it came."""
    from control.store.migrate import migrate, newest

    verified = await verify(file, key)
    manifest = verified.manifest
    _known(manifest)
    _openable(manifest, settings)
    name = database_of(settings.database.url)
    client = connect(settings.ledger.url, timeout=settings.ledger.timeout)
    admin = LedgerAdmin(client, settings.ledger.name)
    try:
        tools, found = await _standing(settings, admin, manifest)
        if found.at_work and not dry:
            raise RefusedError(
                f"at work: {', '.join(found.at_work)}: what they do meanwhile would be lost",
                fix="stop every gateway and control first (systemctl stop sendgate-gateway "
                "sendgate-control, on every host); one that was killed is forgotten after 15 s",
            )
        if found.objects and replace != name and not dry:
            waiting = ", ".join(f"{n} {state}" for state, n in found.waiting.items())
            raise RefusedError(
                f"database {name} is not empty ({count(found.objects, 'table')}; waiting mail: "
                f"{waiting or 'none'}): all of it would go",
                fix=f"`--replace {name}` says that it may; `--dry-run` shows what would be done",
            )
        if replace and replace != name:
            raise RefusedError(
                f"--replace {replace}: the database of these settings is {name}", status=400
            )
        would = PutBack(
            dry_run=dry,
            database=name,
            manifest=manifest,
            replaced=found,
            schema=newest(),
            in_doubt=sum(manifest.waiting.values()),
        )
        if dry:
            return would
        standing = await admin.standing()
        incarnations = [standing.incarnation] if standing.incarnation else []

        async def close_ledger() -> None:
            for incarnation in incarnations:
                await admin.close(incarnation)

        doubted = await load(
            tools,
            settings.database.url,
            file,
            key,
            doubted_at=standing.now,
            before_commit=close_ledger,
            told=told,
        )
        try:
            await migrate(settings.database.url)
            after = await _doubted(settings, admin, who, reason, logs)
            counters = await raised(admin, _counters(file, key), day_of(standing.now))
        except (*UNREACHABLE, RedisError, RefusedError) as error:
            raise RefusedError(
                f"the backup is in database {name}, {count(doubted, 'message')} in doubt and the "
                f"ledger closed, but the rest could not be done: {error}",
                status=503,
                fix="`sendgate migrate` and `sendgate restore --yes` do it, before anything starts",
            ) from error
        return msgspec.structs.replace(
            would, in_doubt=doubted + after.in_doubt, restored=after, counters=counters
        )
    except RedisError as error:
        raise RefusedError(
            f"the ledger does not answer ({error}): it must be closed, and it gives the calendar",
            status=503,
        ) from error
    finally:
        await client.aclose()


def _known(manifest: Manifest) -> None:
    from control.store.migrate import known

    if not known(manifest.schema):
        raise RefusedError(
            f"the backup has schema {manifest.schema}, which this version does not know: version "
            f"{manifest.sendgate} made it; restore it with that one, or a newer one"
        )


def _openable(manifest: Manifest, settings: Settings) -> None:
    """Raises RefusedError where what is sealed in the backup would be opened by nobody."""
    control = settings.control
    ours = {fingerprint(one) for one in (control.secret, *control.secrets_before) if one}
    if lacking := [one for one in manifest.secrets if one not in ours]:
        raise RefusedError(
            "control.secret of the backup is another one (fingerprint "
            f"{', '.join(lacking)}): DKIM keys in it would stay shut",
            fix="name it in control.secrets_before; `sendgate backup files FILE --to DIR` takes it "
            "out of the backup",
        )
    keys = {text.partition(":")[0] for text in settings.hold.keys}
    if lacking := [one for one in manifest.hold_keys if one not in keys]:
        raise RefusedError(
            f"hold.keys lacks key {', '.join(lacking)} of the backup: held mail would stay shut",
            fix="add it to hold.keys; `sendgate backup files FILE --to DIR` takes it out of the "
            "backup",
        )


async def _standing(
    settings: Settings, admin: LedgerAdmin, manifest: Manifest
) -> tuple[Tools, Found]:
    """Programs that fit, and what is there and at work."""
    url = settings.database.url
    try:
        pool = await open_pool(msgspec.structs.replace(settings.database, connections=1))
    except UNREACHABLE as error:
        raise no_database(url, error) from error
    try:
        async with pool.acquire() as connection:
            at_work = [
                f"{row['name']} ({count(row['count'], 'session')} with PostgreSQL)"
                for row in await connection.fetch(_SQL["others"])
            ]
            if workers := await admin.workers():
                at_work.append(f"{count(len(workers), 'gateway process')}")
            found = msgspec.structs.replace(await _found(connection), at_work=at_work)
            tools = await tools_for(
                max(manifest.client, await connection.fetchval(_SQL["version"]))
            )
    finally:
        await pool.close()
    return tools, found


async def _found(connection: Connection) -> Found:
    objects = await connection.fetchval(_SQL["here"])
    if not await connection.fetchval(_SQL["holding"]):
        return Found(objects=objects)
    waiting = await connection.fetch(_SQL["waiting"], timeout=LONGEST)
    return Found(objects=objects, waiting=dict(waiting))


async def _doubted(
    settings: Settings, admin: LedgerAdmin, who: str, reason: str, logs: Sequence[Path]
) -> Restored:
    pool = await open_pool(msgspec.structs.replace(settings.database, connections=1))
    try:
        return await restore(pool, admin, who=who, reason=reason, logs=logs)
    finally:
        await pool.close()


def _counters(file: Path, key: Key) -> list[Counters]:
    """Of the ledger, as the backup has them."""
    with opened(file) as source:
        parts = read(source, key)
        for part in parts:
            if isinstance(part, Begin) and part.name == LEDGER:
                return msgspec.json.decode(whole(parts), type=list[Counters])
    return []
