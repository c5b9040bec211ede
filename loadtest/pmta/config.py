"""The part of a PowerMTA configuration the stand-in acts on.

Source: PowerMTA 5.0 User's Guide (``source``, ``virtual-mta``, ``virtual-mta-pool``, ``domain``).
Everything else is checked (``directives.py``, ``references.py``) and then ignored.
"""

from dataclasses import dataclass, field
from pathlib import Path

from loadtest.pmta.accounting import DEFAULT_MAX_SIZE, AcctFile
from loadtest.pmta.argument import network, octets
from loadtest.pmta.directives import check
from loadtest.pmta.grammar import Block, ConfigError, parse
from loadtest.pmta.macro import Macros
from loadtest.pmta.references import check_references
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
    check_references(root)
    return _Builder(root).config


class _Builder:
    def __init__(self, root: Block) -> None:
        self._macros = Macros(root)
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
            if member is None:
                problem = f"no virtual-mta '{directive.values[0]}'; define it or remove this"
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
            domains = self._macros.domains(inner)
            if any(d.values[0].lower() == "discard" for d in inner.all("type")):
                for domain in domains:
                    both = domain.startswith("[*.]")
                    patterns.update((domain[4:], domain[1:3] + domain[4:]) if both else (domain,))
        return frozenset(patterns)

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
    # Of a CIDR PowerMTA takes the machine's own addresses; here its first one stands for them.
    found = (network(directive.values[0]) for directive in block.all("smtp-source-host"))
    return tuple(str(address.network_address) for address in found if address is not None)
