"""The ledger as publishing sees it: its clock, its generation's number, and putting one into it."""

from datetime import UTC, datetime

from redis.exceptions import RedisError

from control.problem import RefusedError
from policy.division import Division
from policy.ledger.admin import LedgerAdmin
from policy.plan import Generation


class UnknownOutcomeError(RefusedError):
    """Nobody knows whether the ledger took a generation."""


async def ledger_time(admin: LedgerAdmin) -> datetime:
    """Calendar time by the clock seam. Raises RefusedError."""
    try:
        milliseconds, _ = await admin.now()
    except (RedisError, OSError) as error:
        raise _away(error) from error
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


async def ledger_number(admin: LedgerAdmin) -> int:
    """The generation it runs. Raises RefusedError."""
    try:
        return await admin.number()
    except (RedisError, OSError) as error:
        raise _away(error) from error


async def put_into(
    admin: LedgerAdmin, generation: Generation, division: Division, *, afresh: bool
) -> None:
    """Put a generation in force. Raises RefusedError, UnknownOutcomeError where nobody knows."""
    try:
        in_force = await admin.publish(generation, division, afresh=afresh)
    except (RedisError, OSError) as error:
        in_force = await _published(admin, generation.number, error)
    if in_force != generation.number:
        raise RefusedError(
            f"the ledger runs generation {in_force} of another control plane; "
            "give each its own ledger.name",
        )


async def _published(admin: LedgerAdmin, number: int, lost: Exception) -> int:
    """Whether a publish without a reply took place. Raises RefusedError when it did not, or
    when nobody knows: then the rows as they were are published again by `reconcile`."""
    try:
        in_force = await admin.number()
    except (RedisError, OSError):
        raise UnknownOutcomeError(
            f"the ledger does not answer ({lost}): nothing was changed here; should it have "
            f"taken generation {number}, the plan before is put back within seconds",
            status=503,
            alone="the ledger does not answer: whether this was done shows within seconds",
        ) from lost
    if in_force < number:
        raise RefusedError(
            f"the ledger did not take the generation ({lost}): nothing was changed",
            status=503,
            alone="the ledger does not answer: nothing was changed",
        ) from lost
    return in_force


def _away(error: Exception) -> RefusedError:
    said = "the ledger does not answer"
    return RefusedError(
        f"{said} ({error}): nothing was changed", status=503, alone=f"{said}: nothing was changed"
    )
