"""Whether this version's programs run on the schema that a database has.

Rule: on their own, and on a newer one that only adds to it (`schema_reads`, written by whoever
migrates). The second is how an update that failed is gone back from: migrations are never undone,
for what arrived meanwhile would be lost with them.
"""

import msgspec

from control.store.connecting import connect
from control.store.migrate import known, newest, oldest, revision
from settings.model import Database
from settings.statements import statements

_SQL = statements(__package__, "schema")
_LOOK = 30.0


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """Of one database, as this version sees it."""

    at: str | None
    """None: empty."""
    needs: str = msgspec.field(default_factory=newest)
    """This version's own."""
    oldest: str | None = None
    """Where `at` is a newer version's: whose programs run on it, from this one on."""

    @property
    def ahead(self) -> bool:
        """A newer version migrated it."""
        return self.at is not None and not known(self.at)

    @property
    def problem(self) -> str:
        """What to do before a program of this version starts; '' where it may."""
        if self.at == self.needs:
            return ""
        if not self.ahead:
            return (
                f"the database is at schema {self.at or 'none'}, this version needs "
                f"{self.needs}: run `sendgate migrate`"
            )
        if self.oldest is not None and known(self.oldest):
            return ""
        return (
            f"the database is at schema {self.at}, which a newer version made and this one "
            f"({self.needs}) does not run on: start the newer version, or put the backup from "
            "before it back (`sendgate restore`)"
        )

    @property
    def no_way_back(self) -> str:
        """Why a version that runs on it now would not start behind this version's migrations; ''
        where it would."""
        if self.at is None or self.ahead or self.at >= (least := oldest()):
            return ""
        return (
            f"the migrations from {self.at} to {self.needs} do more than add (see {least}): the "
            "version of before does not start behind them, and only a backup leads back"
        )


async def schema(url: str) -> Schema:
    """Of the database at `url`. Raises asyncpg's or the system's error when nobody answers."""
    found = Schema(at=await revision(url))
    if not found.ahead:
        return found
    bounds = Database(url=url, timeout=_LOOK).bounds()
    connection = await connect(
        url, timeout=10.0, server_settings={"application_name": "sendgate schema", **bounds}
    )
    try:
        told = await connection.fetchval(_SQL["table"])
        oldest = await connection.fetchval(_SQL["oldest"]) if told else None
    finally:
        await connection.close()
    return msgspec.structs.replace(found, oldest=oldest)
