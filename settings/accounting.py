"""The configuration of PowerMTA's accounting: files that are read, batches that are posted.

As in `settings.model`: the text under a field is its manual, times are seconds, sizes octets.
"""

from typing import Annotated

import msgspec

from settings.hold import Octets, Seconds


class Stream(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The accounting files of one PowerMTA server."""

    server: str
    """Its name here (`sendgate server`)."""
    path: str
    """The path as in PowerMTA's `<acct-file PATH>`, such as `/var/log/pmta/sendgate.csv`. PowerMTA
    never writes a file of that name but `sendgate-YYYY-MM-DD-NNNN.csv` beside it, which may be
    packed (`.csv.gz`) once they are finished."""
    move_to: str = ""
    """Where finished files go: the block's `move-to`, or the folder of your own cron job."""


class Accounting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What PowerMTA's records feed: statistics, suppressions, carry-over, doubt, a lost ledger."""

    streams: tuple[Stream, ...] = ()
    """Without one, doubt waits for an operator."""
    poll: Seconds = 1.0
    """Between two looks at a file."""
    batch: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 2_000
    """Records in one transaction."""
    kept: Annotated[float, msgspec.Meta(gt=0)] = 3_456_000.0
    """Seconds a receipt is known (40 days): above `hold.age`."""
    webhook_body: Octets = 10_485_760
    """Octets of one posted batch, packed or not: PowerMTA's webhook sends at most 10 MB."""
    webhook_content: Octets = 67_108_864
    """Octets of a posted batch when it is unpacked."""
    webhook_key: str = ""
    """Key of signed batches: `X-Sendgate-Signature: sha256=HEX`, HMAC-SHA-256 over
    `X-Sendgate-Timestamp` (epoch seconds), a dot and the body. Better given as
    SENDGATE_ACCOUNTING_WEBHOOK_KEY; empty refuses signed batches."""
    webhook_keys_before: Annotated[tuple[str, ...], msgspec.Meta(max_length=10)] = ()
    """Former ones, whose signatures are still taken; `sendgate secret list` says when each was
    used last."""
    webhook_former_until: str = ""
    """ISO time (2026-12-24T12:00:00Z) from which on those before are refused, by this machine's
    clock, though they stand here still. Empty: they are taken for as long as they do."""
    webhook_window: Seconds = 300.0
    """How far a signed batch's time may be from ours."""
    inbox: Octets = 2_147_483_648
    """Octets of posted batches that may wait to be taken in; beyond it they are answered 503, and
    PowerMTA keeps and repeats them."""
    records_kept: Annotated[float, msgspec.Meta(ge=604_800, le=315_360_000)] = 7_776_000.0
    """Seconds for which records are kept as they came, and known so that they count once (90 days);
    dropped by whole days."""
    carry_every: Annotated[float, msgspec.Meta(ge=1, le=600)] = 60.0
    """Between two figures of what earlier days carry over into an IP's day: recipients that
    PowerMTA took and has not done with, which count against today's quota."""
    carry_late: Annotated[float, msgspec.Meta(ge=60, le=604_800)] = 3_600.0
    """When a PowerMTA server's files were not read to their end for so long, or it posted nothing
    for so long while it has mail, that figure stays as it was known last, and SendgateCarryOverLate
    is raised."""
    set_aside_most: Annotated[int, msgspec.Meta(ge=100, le=10_000_000)] = 100_000
    """Records that could not be read and are kept (`sendgate accounting rejected`), the newest."""
    bypass_sources: Annotated[int, msgspec.Meta(ge=10, le=100_000)] = 1_000
    """Sources of mail around the gateways (VirtualMTA, login, host and job together) that are told
    apart in a day (`sendgate accounting bypass`); the rest counts as `other`."""
