"""What PowerMTA tells, and what follows from it, put together: the door with its consumers, the
inbox of posted batches, the readers of files."""

from functools import partial
from typing import NamedTuple

from control.accounting.door import Door
from control.accounting.feed import Feed
from control.accounting.forgetting import Forgetting, Gone
from control.accounting.importing import Imports
from control.accounting.inbox import Inbox, Now
from control.accounting.raw import Hide
from control.accounting.setaside import Rejected
from control.accounting.shipped import Shipments
from control.bypass.bypass import Bypass
from control.held.request import digest
from control.provider.hosted import Hosted
from control.statistics.taking import Statistics
from control.store.database import Connection
from control.suppressions.rule import Rule
from control.warmup.replies import Replies
from policy.address import hashed
from settings.log import Log
from settings.model import Settings


class Intake(NamedTuple):
    """Of one control process."""

    door: Door
    inbox: Inbox
    feed: Feed
    rejected: Rejected
    shipments: Shipments
    imports: Imports
    forgetting: Forgetting


def open_intake(settings: Settings, pool: Connection, now: Now, naming_key: bytes) -> Intake:
    """`now`: calendar milliseconds; `naming_key`: of digests of addresses."""
    accounting = settings.accounting
    # The rule last: it locks what others wait for until their commits.
    consumers = (
        Statistics(settings.statistics.names),
        Bypass(accounting.bypass_sources),
        Hosted(),
        Replies(),
        Rule(settings.suppressions.most),
    )
    named = partial(digest, naming_key)
    hide = hiding(settings.log)
    door = Door(consumers, kept=accounting.records_kept, hide=hide, gone=Gone(named))
    inbox = Inbox(pool, door, accounting, now)
    feed = Feed(settings.database, pool, accounting, now, door, inbox)
    rejected = Rejected(pool, door, inbox, now)
    shipments = Shipments(pool, door, accounting, now)
    forgetting = Forgetting(pool, named, settings.log)
    imports = Imports(pool, inbox, now)
    return Intake(door, inbox, feed, rejected, shipments, imports, forgetting)


def hiding(log: Log) -> Hide | None:
    """What stands in place of addresses in what is kept of records; None: they stay."""
    if log.addresses != "hashed":
        return None
    key = log.key.encode()
    if not key:
        return lambda address: "…@" + address.rpartition("@")[2]
    return lambda address: hashed(address, key)
