"""The part of a PowerMTA configuration the stand-in acts on.

Source: PowerMTA 5.0 User's Guide (``source``, ``virtual-mta``, ``virtual-mta-pool``, ``domain``).
Everything else is checked for its spelling (``directives.py``) and then ignored.
"""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.pmta.accounting import DEFAULT_MAX_SIZE, AcctFile
from loadtest.pmta.directives import check, octets
from loadtest.pmta.grammar import Block, ConfigError, Directive, parse
from loadtest.pmta.source import Source, source_of

NO_ADDRESS = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class VirtualMta:
    """A VirtualMTA: its name as configured and its source addresses, used in turn."""

    name: str
    addresses: tuple[str, ...] = (NO_ADDRESS,)
    discards: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Pool:
    """A VirtualMTA pool: its members take turns, without weights."""

    name: str
    members: tuple[VirtualMta, ...]


@dataclass(slots=True)
class Config:
    """What was loaded. Names of VirtualMTAs and pools share one name space, in lower case."""

    virtual_mtas: dict[str, VirtualMta] = field(default_factory=dict)
    pools: dict[str, Pool] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    discards: frozenset[str] = frozenset()
    """Domains, ``*.suffixes`` and ``*`` whose mail is discarded."""
    open_names: bool = False
    """True without a configuration: any VirtualMTA name exists."""
    addresses: tuple[str, ...] = (NO_ADDRESS,)
    acct: AcctFile = field(default_factory=AcctFile)
    """The first ``<acct-file>`` that is a file."""


def load(path: Path) -> Config:
    """Load `path`. A file that does not exist is a PowerMTA without VirtualMTAs.

    Raises ConfigError naming file, line and problem; OSError when the file cannot be read.
    """
    if not path.exists():
        return Config()
    root = parse(path)
    check(root)
    return _Builder(root).config


class _Builder:
    def __init__(self, root: Block) -> None:
        self._macros = {d.values[0].lower(): d for d in root.all("domain-macro")}
        self.config = Config(discards=self._discards(root))
        self.config.addresses = _addresses(root) or (NO_ADDRESS,)
        with_domains: dict[str, str] = {}
        files = [b for b in root.blocks if b.tag == "acct-file" and not b.argument.startswith("|")]
        if files:
            self.config.acct = _acct_file(files[0])
        for block in root.blocks:
            if block.tag == "virtual-mta":
                self._virtual_mta(block)
        for block in root.blocks:
            if block.tag == "virtual-mta-pool":
                self._pool(block, with_domains)
            elif block.tag == "source":
                self.config.sources.append(source_of(block))
        for source in self.config.sources:
            self._check_default(source)

    def _new_name(self, block: Block) -> str:
        name = block.argument.lower()
        if not name:
            raise ConfigError(block.at, f"<{block.tag}> needs a name")
        if name in self.config.virtual_mtas or name in self.config.pools:
            raise ConfigError(block.at, f"'{block.argument}' is already defined; rename one")
        return name

    def _virtual_mta(self, block: Block) -> None:
        name = self._new_name(block)
        addresses = _addresses(block) or self.config.addresses
        self.config.virtual_mtas[name] = VirtualMta(
            block.argument, addresses, self._discards(block)
        )

    def _pool(self, block: Block, with_domains: dict[str, str]) -> None:
        name = self._new_name(block)
        members = []
        for directive in block.all("virtual-mta"):
            member = self.config.virtual_mtas.get(directive.values[0].lower())
            if member is None or len(directive.values) > 1:
                problem = f"no virtual-mta '{' '.join(directive.values)}'; define it or remove this"
                raise ConfigError(directive.at, problem)
            members.append(member)
            if any(inner.tag == "domain" for inner in block.blocks):
                other = with_domains.setdefault(member.name, name)
                if other != name:
                    problem = f"'{member.name}' is in two pools with <domain> blocks, {other} too"
                    raise ConfigError(directive.at, problem)
        if not members:
            raise ConfigError(block.at, f"pool '{block.argument}' is empty; add virtual-mta lines")
        self.config.pools[name] = Pool(block.argument, tuple(members))

    def _discards(self, block: Block) -> frozenset[str]:
        patterns: set[str] = set()
        for inner in block.blocks:
            if inner.tag != "domain":
                continue
            domains = self._domains(inner)
            if any(d.values[0].lower() == "discard" for d in inner.all("type")):
                patterns.update(domains)
        return frozenset(patterns)

    def _domains(self, block: Block) -> list[str]:
        argument = block.argument.lower()
        if argument.startswith("$"):
            macro = self._macros.get(argument[1:])
            if macro is None or len(macro.values) < 2:
                raise ConfigError(block.at, f"no domain-macro '{argument[1:]}'; define it above")
            return [d for d in ",".join(macro.values[1:]).lower().split(",") if d]
        if not argument:
            raise ConfigError(block.at, "<domain> needs a domain")
        if argument.startswith("[*.]"):
            return [argument[4:], "*." + argument[4:]]
        return [argument]

    def _check_default(self, source: Source) -> None:
        name = source.default_virtual_mta
        known = self.config.virtual_mtas.keys() | self.config.pools.keys()
        if (
            name
            and name.lower() not in known
            and name.lower()
            not in {
                "by-smtp-source-ip",
                "{default}",
            }
        ):
            raise ConfigError(source.at, f"no virtual-mta '{name}' for default-virtual-mta")


def _acct_file(block: Block) -> AcctFile:
    values = {d.name: d.values[-1] for d in block.directives}
    if not block.argument:
        raise ConfigError(block.at, "<acct-file> needs a path")
    return AcctFile(
        Path(block.argument).name,
        octets(values["max-size"]) if "max-size" in values else DEFAULT_MAX_SIZE,
        Path(values["move-to"]) if "move-to" in values else None,
        sync=_yes(values.get("sync", "no")),
        world_readable=_yes(values.get("world-readable", "no")),
    )


def _yes(text: str) -> bool:
    return text.lower() in ("yes", "true")


def _addresses(block: Block) -> tuple[str, ...]:
    return tuple(_address(d) for d in block.all("smtp-source-host"))


def _address(directive: Directive) -> str:
    # IP before HOST: the reverse is the mistake seen most in the wild.
    try:
        address = ipaddress.ip_address(directive.values[0])
    except ValueError as problem:
        text = f"invalid IP address '{directive.values[0]}'; write smtp-source-host IP HOST"
        raise ConfigError(directive.at, text) from problem
    if len(directive.values) != 2:
        raise ConfigError(directive.at, "argument missing; write smtp-source-host IP HOST")
    return str(address)
