"""A simulation as it is asked for and answered."""

from typing import Annotated

import msgspec

from control.problem import bad
from control.values.ip import IpText
from control.values.provider import ALL_KNOWN, known_provider
from control.values.wanted import meant
from policy.model import Count, Name, Share
from policy.warmup.simulation import SimulatedProvider
from policy.warmup.traffic import Part

Rate = Annotated[float, msgspec.Meta(ge=0, le=100)]
"""Per cent."""

_NOISE = 1e-9
"""Of a sum of shares."""


class SimulationAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From where an IP is, or from a plan's first stage."""

    ip: Annotated[IpText | None, meant("From where this IP is; else from stage 1.")] = None
    plan: Annotated[Name | None, meant("Warm-up plan; else the IP's, else default.")] = None
    bounces: Annotated[
        Rate | None,
        meant("Per cent of relayed; else what the IP showed in 30 days, or a healthy one."),
    ] = None
    complaints: Annotated[Rate | None, meant("Per cent of delivered; the same.")] = None
    a_day: Annotated[
        Count | None, meant("Recipients a day that are wanted; else as many as it may.")
    ] = None
    shares: Annotated[
        Annotated[dict[str, Share], ALL_KNOWN] | None,
        meant(
            "Part of the mail that goes to a provider, such as gmail=0.6: it is judged by itself, "
            "too, from its IP's stage on; what is left goes to others."
        ),
    ] = None
    bounces_at: Annotated[
        Annotated[dict[str, Rate], ALL_KNOWN] | None,
        meant("Per cent at a provider of shares, in place of bounces."),
    ] = None
    complaints_at: Annotated[
        Annotated[dict[str, Rate], ALL_KNOWN] | None,
        meant("Per cent at a provider of shares, in place of complaints."),
    ] = None
    days: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=730)], meant("Days that are played forward.")
    ] = 90


class SimulatedDay(msgspec.Struct, frozen=True, kw_only=True):
    """One day."""

    date: str
    stage: int
    state: str
    quota: int
    sent: int
    waiting: int
    """Wanted and not sent by its end."""
    waits_days: float
    """How long the last of them waits at this day's quota; 0: none waits."""
    act: str
    sentence: str
    providers: list[SimulatedProvider] = []
    """Those of shares."""


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """Rates are per cent."""

    ip: str
    plan: str
    bounces: float
    complaints: float
    active_on: str | None
    """Null: not within these days."""
    paused_on: str | None
    days: list[SimulatedDay]


def parts_of(asked: SimulationAsked, bounces: float, complaints: float) -> tuple[Part, ...]:
    """What goes to whom; rates are those of the rest. Raises RefusedError."""
    shares = asked.shares or {}
    rates = {"bounces_at": asked.bounces_at or {}, "complaints_at": asked.complaints_at or {}}
    for field, of in {"shares": shares, **rates}.items():
        for provider in of:
            if known_provider(provider, field) not in shares:
                raise bad(field, f"{provider} has no part of the mail: give its share, too")
    if (whole := sum(shares.values())) > 1 + _NOISE:
        raise bad("shares", f"they are {whole:g} together: parts of the mail are at most 1")
    return tuple(
        Part(
            provider=provider,
            share=share,
            bounces=rates["bounces_at"].get(provider, bounces * 100) / 100,
            complaints=rates["complaints_at"].get(provider, complaints * 100) / 100,
        )
        for provider, share in shares.items()
    )
