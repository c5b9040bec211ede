"""The configuration of people: how they get in, and for how long.

As in `settings.model`: the text under a field is its manual, times are seconds.
"""

from typing import Annotated

import msgspec

_Minutes = Annotated[float, msgspec.Meta(ge=60, le=86_400)]
_Days = Annotated[float, msgspec.Meta(ge=3600, le=31_536_000)]
_Some = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class People(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who signs in to the API by name and password (`sendgate user`)."""

    url: str = ""
    """Where people reach control, `https://HOST`: one-time links begin with it. Empty: links have
    their secret alone, for `sendgate user accept`."""
    access: _Minutes = 600.0
    """For which an access token is good; its session is looked at with each request all the
    same."""
    refresh: _Days = 604_800.0
    """For which a session that nobody uses can be gone on with (7 days)."""
    session: _Days = 2_592_000.0
    """After which a session ends, used or not (30 days)."""
    console_idle: _Minutes = 3_600.0
    """After which a session in a browser that nobody uses ends."""
    console_session: _Days = 43_200.0
    """After which one ends, used or not (12 hours)."""
    link: _Minutes = 86_400.0
    """For which the one-time link of an invitation or a reset is good."""
    key: _Days = 2_592_000.0
    """After which access tokens are signed with a new key (30 days); the former one is good for as
    long as what it signed."""
    hash_parallel: Annotated[int, msgspec.Meta(ge=1, le=64)] = 2
    """Passwords that one control process hashes at a time; each takes 64 MiB and a processor for
    some 50 ms."""
    hash_waiting: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 64
    """Most that wait for it; more are answered 503."""
    lock_after: Annotated[int, msgspec.Meta(ge=2, le=100)] = 5
    """Failures of one account from one source (an IPv4 address, an IPv6 /64) that lock the two."""
    lock_first: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 30.0
    """For how long; it doubles with each failure more."""
    lock_most: Annotated[float, msgspec.Meta(ge=60, le=86_400)] = 3600.0
    """And never longer."""
    account_failures: _Some = 50
    """Failures in an hour of one account, whatever their sources, after which only sources that it
    signed in from before may try."""
    source_failures: _Some = 100
    """The same of one source, whatever the accounts."""
    all_failures: _Some = 5000
    """The same of all."""
