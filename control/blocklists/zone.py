"""The lists that are asked: ours, as data, and those of the configuration."""

import tomllib
from functools import cache
from importlib import resources
from typing import Literal

import msgspec

from settings.blocklists import Blocklists

Kind = Literal["ip", "domain"]


class Zone(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One list, as zones.toml says it."""

    name: str
    """Below which it is asked."""
    kind: Kind
    ipv6: bool = True
    """Of kind `ip`: whether it has IPv6 addresses."""
    note: str = ""
    codes: dict[str, str] = {}
    """What its answers mean."""
    errors: tuple[str, ...] = ()
    """Answers with which it says that it may not be asked."""
    test: str = ""
    """Of kind `domain`: a name that it always has, where it is not RFC 5782's `test`."""


@cache
def known() -> dict[str, Zone]:
    """Ours, by name."""
    text = resources.files(__package__).joinpath("zones.toml").read_text(encoding="utf-8")
    found = msgspec.convert(tomllib.loads(text)["zone"], list[Zone])
    return {zone.name: zone for zone in found}


def wanted(settings: Blocklists) -> list[Zone]:
    """Those that are asked: what we do not know is still a list that somebody named."""
    ours = known()
    asked: list[Zone] = []
    kinds: tuple[tuple[Kind, tuple[str, ...] | None], ...] = (
        ("ip", settings.zones),
        ("domain", settings.domain_zones),
    )
    for kind, names in kinds:
        if names is None:
            asked += [zone for zone in ours.values() if zone.kind == kind]
        else:
            asked += [ours.get(name) or Zone(name=name, kind=kind) for name in names]
    return asked
