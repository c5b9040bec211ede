"""The configuration of the hold queue.

As in `settings.model`: the text under a field is its manual, times are seconds, sizes octets.
"""

from typing import Annotated, Literal

import msgspec

from policy.model import Count, Share

Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
LONGEST_UNDO = 86_400
"""Seconds: what was dropped counts as waiting so long, and its content is kept."""
Octets = Annotated[int, msgspec.Meta(ge=1_000, le=1 << 40)]


class Hold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where messages wait that may not go yet: in PostgreSQL (`database.url`)."""

    enabled: bool = True
    """false: no hold; what may not go is deferred with 451, and MailWizz loses those recipients."""
    connections: Annotated[int, msgspec.Meta(ge=2, le=100)] = 4
    """Most connections to PostgreSQL of one gateway process."""
    commit_budget: Seconds = 5.0
    """For one commit with its clearing up; part of `gateway.answer_budget`."""
    batch: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 256
    """Most messages in one commit."""
    batch_bytes: Octets = 8_388_608
    """Most octets of content in one commit."""
    unsure: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 10_000
    """Commits of which nobody knows that one process still has to end, some 300 octets and 60 for
    each recipient. None is dropped: from here on mail that would be held is deferred."""
    releasers: Annotated[int, msgspec.Meta(ge=0, le=64)] = 1
    """Processes of this node that release held mail; any number of nodes may."""
    claim: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 64
    """Messages a releaser claims in one commit. Also WARMUP_BATCH_SIZE."""
    claim_delay: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0
    """Between two claims of one releaser while there is mail that may go: 0 is what a backlog
    leaves by fastest. Also WARMUP_BATCH_DELAY_MS, in milliseconds."""
    concurrent: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None
    """Most messages that one releaser has under way; left out, twice what its sessions to PowerMTA
    take, and never more. Also WARMUP_MAX_CONCURRENT."""
    poll: Seconds = 1.0
    """Between two looks for mail that may go."""
    sweep: Seconds = 30.0
    """Between two looks that trust no remembered denial."""
    look: Seconds = 600.0
    """Between two looks of a releaser at every mailbox that has mail waiting. What comes meanwhile
    is announced to it; this finds what another one had in hand and left."""
    mailbox_look: Seconds = 300.0
    """Between two looks whether a mailbox at its maximum may send after all, by one message of it:
    a place is free again where another one was refused."""
    lease: Annotated[float, msgspec.Meta(ge=5, le=3600)] = 60.0
    """A process not heard of for so long is gone, and what it had claimed is in doubt; above
    `relay.grant_lifetime`."""
    retry_first: Seconds = 60.0
    """How long a message waits after a failure of ours; doubles up to `retry_most`."""
    retry_most: Seconds = 3600.0
    """Longest wait between two attempts of one message."""
    failures: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 20
    """Failures of one message after which it is given up (soft). One counts only if another message
    passed by the same server and VirtualMTA since the one before."""
    messages: Count = 5_000_000
    """Messages a tenant may have waiting, unless it has a bound of its own."""
    bytes: Annotated[int, msgspec.Meta(ge=0)] = 107_374_182_400
    """Octets a tenant may have waiting."""
    age: Annotated[float, msgspec.Meta(gt=0)] = 2_592_000.0
    """Seconds a message may wait (30 days); then it expires and is reported as soft."""
    past_bound: Literal["defer", "accept"] = "defer"
    """Beyond a bound: tell the client when to come back, or hold on."""
    slow_from: Share = 0.8
    """Share of a bound from which replies are delayed: synchronous clients slow down by it."""
    slow_most: Annotated[float, msgspec.Meta(ge=0, le=20)] = 10.0
    """Longest such delay, reached at the bound."""
    body_kept: Annotated[float, msgspec.Meta(ge=0)] = 3_600.0
    """Seconds the content stays after a message ended; at most a day (86400)."""
    history_kept: Annotated[float, msgspec.Meta(ge=0)] = 2_592_000.0
    """Seconds a message that ended can be explained."""
    events_kept: Annotated[float, msgspec.Meta(gt=0)] = 7_776_000.0
    """Seconds an event of held mail (late refusal, expiry) and an operator's request stay after
    they are over (90 days); a report that still waits keeps its event. At least `history_kept`."""
    undo: Annotated[int, msgspec.Meta(ge=0, le=LONGEST_UNDO)] = 300
    """Seconds for which a drop or a release of held mail can be undone, unless the order says
    otherwise; at most a day (86400). 0: what is dropped is gone at once."""
    keys: tuple[str, ...] = ()
    """Seal contents (AES-256-GCM), each `ID:KEY` with 32 octets in URL-safe base64: the first
    seals, the others open what they sealed before. Better given as SENDGATE_HOLD_KEYS. Empty:
    contents are readable in PostgreSQL."""
    probe_gap: Seconds = 900.0
    """Between the two probes that prove an absence: above PowerMTA's `smtp-data-timeout`, 10 m, and
    above `relay.late_reply`."""
    sent_kept: Annotated[float, msgspec.Meta(ge=60)] = 604_800.0
    """Seconds a sent message is known as a duplicate: the client's longest retry."""
