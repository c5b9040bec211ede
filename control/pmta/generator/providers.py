"""Mailbox providers in PowerMTA: one queue for all their domains, and their rates. Pure.

A provider whose mail servers have names of their own is rolled up: all domains whose MX records
name them share one queue, `NAME.rollup`, hosted ones too (guide, 10.17). Of the others PowerMTA
has a queue a domain, and what is said of the provider holds for each of its domains by itself.
Rates are in rates.toml, with their sources.
"""

import tomllib
from functools import cache
from importlib import resources
from typing import Annotated

import msgspec

from control.pmta.generator.replies import LIST_NAME, spoken_by
from control.pmta.generator.terms import Terms
from control.pmta.generator.text import block
from policy.provider import OTHER, PROVIDERS, domains_of, hosts_of, parents_of


class Rates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a provider wants of one sending IP; None: nothing is said."""

    connections: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    """At a time."""
    messages: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None
    """Of one connection."""
    source: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sources: dict[str, str]
    rates: dict[str, Rates]


@cache
def rates() -> dict[str, Rates]:
    """By provider; `source` is a URL."""
    text = resources.files(__package__).joinpath("rates.toml").read_text("utf-8")
    found = msgspec.convert(tomllib.loads(text), _File)
    if unknown := sorted(found.rates.keys() - set(PROVIDERS)):
        raise ValueError(f"rates.toml: {unknown[0]} is no provider")
    return {
        name: msgspec.structs.replace(row, source=found.sources[row.source])
        for name, row in found.rates.items()
    }


def queues(provider: str) -> list[str]:
    """The `<domain …>` arguments of a provider's queues; none of `other`."""
    if provider == OTHER or provider not in PROVIDERS:
        return []
    if hosts_of(provider):
        return [f"{provider}.rollup"]
    return [f"${_macro(provider)}", *(f"*.{parent}" for parent in parents_of(provider))]


def rolled_up(queue: str) -> str:
    """The provider whose roll-up a queue's name is, without its VirtualMTA; '' for a domain."""
    name = queue.removesuffix(".rollup")
    return name if name != queue and name in PROVIDERS else ""


def providers(terms: Terms) -> str:
    """Roll-ups, macros, and a `<domain>` for what is known of each; '' where not wanted."""
    if not terms.rollups:
        return ""
    names = [name for name in PROVIDERS if name != OTHER]
    rolled = [
        f"mx {host} {name}.rollup"
        for name in names
        for suffix in hosts_of(name)
        for host in (suffix.removeprefix("."), f"*{suffix}")
    ]
    macros = [
        f"domain-macro {_macro(name)} {','.join(domains_of(name))}"
        for name in names
        if not hosts_of(name)
    ]
    blocks = [
        block("domain", queue, lines)
        for name in names
        if (lines := _lines(name, terms))
        for queue in queues(name)
    ]
    said = (
        "# PowerMTA keeps a queue for each of these domains: what follows holds for each by itself."
    )
    return "\n\n".join([block("mx-rollup-list", "", rolled), "\n".join([said, *macros]), *blocks])


def _lines(name: str, terms: Terms) -> list[str]:
    found = rates().get(name)
    lines = []
    if found is not None:
        lines.append(f"# {found.source}")
        if found.connections is not None:
            lines.append(f"max-smtp-out {found.connections}")
        if found.messages is not None:
            lines.append(f"max-msg-per-connection {found.messages}")
    if terms.backoff and (seconds := spoken_by(name)):
        # One connection that tries now and then, until the provider's own words allow more.
        lines += [
            f"smtp-pattern-list {LIST_NAME.format(name)}",
            "backoff-max-smtp-out 1",
            f"backoff-retry-after {seconds}s",
            f"backoff-to-normal-after {seconds}s",
        ]
    return lines


def _macro(provider: str) -> str:
    return f"sendgate_{provider.replace('-', '_')}"
