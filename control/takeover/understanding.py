"""Reads our nouns out of a configuration: VirtualMTAs, pools, keys; the rest is kept or refused.
Pure.

Rule: each part is told once, with its place. What PowerMTA does not know (invented, misplaced)
is refused and never kept: it would stop the next reload. A VirtualMTA of several addresses
is refused, for what it sent cannot be counted by IP.
Source: PowerMTA v5.0 User's Guide, sections 3.3.12 and 3.3.13; names of VirtualMTAs and pools are
one name space, compared without case.
"""

import ipaddress
from collections.abc import Iterable, Sequence

import msgspec

from control.pmta.directive import GLOBAL, why_not
from control.pmta.grammar.node import (
    Block,
    Comment,
    Fault,
    File,
    Line,
    Node,
    Place,
    commented,
    file_names,
)
from control.pmta.grammar.printing import headline
from control.pmta.invented import UNLISTED, invented
from control.pmta.warning import warming_of, warnings
from control.takeover.found import (
    FoundKey,
    FoundPool,
    FoundVmta,
    Understanding,
    entry,
    key_of,
)
from policy.plan import PROBE_DOMAIN, SYSTEM_VIRTUAL_MTA


def understand(
    files: Sequence[File], faults: Iterable[Fault], *, rollups: bool = True
) -> Understanding:
    """What `files` hold, with what they include; `faults`: what could not be read of them;
    `rollups`: as `warnings` has it."""
    work = _Work()
    for fault in faults:
        work.refuse(fault.place, fault.text, fault.why)
    work.top([one for file in files for one in commented(file.inside)])
    found = work.found
    named = [vmta.name for vmta in found.vmtas] + [pool.name for pool in found.pools]
    warming = warming_of(named, (vmta.ip for vmta in found.vmtas))
    found.report.warned += [entry(*warned) for warned in warnings(files, warming, rollups=rollups)]
    names = dict.fromkeys(name for file in files for name in file_names(file))
    order = {name: at for at, name in enumerate(names)}
    report = found.report
    for entries in (report.understood, report.kept, report.refused, report.warned):
        entries.sort(key=lambda entry: (order[entry.file], entry.line))
    return found


class _Work:
    def __init__(self) -> None:
        self.found = Understanding()
        self._names: dict[str, Place] = {}
        self._global_hosts: list[tuple[str, str]] = []

    def refuse(self, place: Place, text: str, why: str) -> None:
        self.found.report.refused.append(entry(place, text, why))

    def top(self, nodes: Iterable[tuple[tuple[Comment, ...], Line | Block]]) -> None:
        """Everything; VirtualMTAs first, for a pool may stand above its members."""
        whole = [(above, node) for above, node in nodes if self._judged(GLOBAL, node)]
        for _, node in whole:
            if isinstance(node, Line) and node.name == "smtp-source-host":
                self._global_hosts.append(_source(node))
        for _, node in whole:
            if isinstance(node, Block) and node.tag == "virtual-mta":
                self._vmta(node)
        members = {vmta.name.lower(): vmta.name for vmta in self.found.vmtas}
        for above, node in whole:
            if isinstance(node, Block) and node.tag == "virtual-mta":
                continue
            if isinstance(node, Block) and node.tag == "virtual-mta-pool":
                self._pool(node, members)
            elif isinstance(node, Line) and node.name == "domain-key":
                if key := self._key(node):
                    self.found.keys.append(key)
            elif _is_probes(node):
                self._understood(node, "Sendgate's own: it writes that itself")
            else:
                self.found.kept += [*above, self._kept(node)]

    def _vmta(self, block: Block) -> None:
        if block.argument.lower() == SYSTEM_VIRTUAL_MTA:
            self._understood(block, "Sendgate's own: it writes that itself")
            return
        if not self._is_new(block):
            return
        addresses: list[tuple[str, str]] = []
        names: list[str] = []
        keys: list[FoundKey] = []
        rest: list[Node] = []
        for above, node in commented(block.inside):
            if not self._judged(block.tag, node):
                continue
            if isinstance(node, Line) and node.name == "smtp-source-host":
                addresses.append(_source(node))
            elif isinstance(node, Line) and node.name == "host-name":
                names.append(node.argument)
            elif isinstance(node, Line) and node.name == "domain-key":
                if key := self._key(node):
                    keys.append(key)
            elif not _only_signs(node):
                rest += [*above, self._kept(node)]
        addresses = addresses or self._global_hosts
        if why := _why_no_source(addresses):
            self.refuse(block.place, headline(block), why)
            return
        ip, host = addresses[0]
        host = names[-1] if names else host
        vmta = FoundVmta(
            place=block.place,
            name=block.argument,
            ip=str(ipaddress.ip_address(ip)),
            host_name=host,
            keys=tuple(keys),
        )
        self.found.vmtas.append(vmta)
        self._understood(block, f"VirtualMTA {vmta.name}: {vmta.ip} as {vmta.host_name}")
        if rest:
            self.found.inner[block.argument] = rest

    def _pool(self, block: Block, known: dict[str, str]) -> None:
        if not self._is_new(block):
            return
        members: list[str] = []
        keys: list[FoundKey] = []
        rest: list[Node] = []
        for above, node in commented(block.inside):
            if not self._judged(block.tag, node):
                continue
            if isinstance(node, Line) and node.name == "virtual-mta":
                name = known.get(node.argument.lower())
                if name is None:
                    why = f"no VirtualMTA {node.argument} was understood"
                    self.refuse(node.place, headline(node), why)
                elif name not in members:
                    members.append(name)
            elif isinstance(node, Line) and node.name == "domain-key":
                if key := self._key(node):
                    keys.append(key)
            else:
                rest += [*above, self._kept(node)]
        if not members:
            self.refuse(
                block.place, headline(block), "a pool without VirtualMTAs: PowerMTA has none"
            )
            return
        pool = FoundPool(
            place=block.place, name=block.argument, members=tuple(members), keys=tuple(keys)
        )
        self.found.pools.append(pool)
        self._understood(block, f"pool {pool.name} of {len(members)} VirtualMTAs")
        if rest:
            self.found.inner[block.argument] = rest

    def _is_new(self, block: Block) -> bool:
        name = block.argument.lower()
        before = self._names.setdefault(name, block.place)
        if before is not block.place:
            why = f"the name stands at {before} already: VirtualMTAs and pools share their names"
            self.refuse(block.place, headline(block), why)
        return before is block.place

    def _key(self, line: Line) -> FoundKey | None:
        key = key_of(line)
        if key is None:
            self.refuse(line.place, headline(line), "it is not SELECTOR,DOMAIN,FILE")
        elif key.domain == "*":
            self._understood(line, "signs whatever domain: each domain gets a key of its own here")
        else:
            self._understood(line, f"DKIM key {key.selector} of {key.domain}")
        return key

    def _judged(self, tag: str, node: Line | Block) -> bool:
        """Whether it may stand there; refused otherwise."""
        why = _why_not(tag, node)
        if why:
            self.refuse(node.place, headline(node), why)
        return not why

    def _kept(self, node: Line | Block) -> Line | Block:
        """It, without what of its inside is refused; told as one."""
        note = node.mended if isinstance(node, Line) else ""
        what = f"{note}; now on one" if note else "goes on as it is"
        self.found.report.kept.append(entry(node.place, headline(node), what))
        return self._clean(node)

    def _clean(self, node: Line | Block) -> Line | Block:
        if isinstance(node, Line):
            return node
        inside: list[Node] = []
        for above, inner in commented(node.inside):
            if self._judged(node.tag, inner):
                inside += [*above, self._clean(inner)]
        return msgspec.structs.replace(node, inside=tuple(inside))

    def _understood(self, node: Line | Block, what: str) -> None:
        self.found.report.understood.append(entry(node.place, headline(node), what))


def _why_not(tag: str, node: Line | Block) -> str:
    """Why PowerMTA would not take it there; ''. What runs somewhere and is in no guide, PowerMTA
    may well take: it stays."""
    name = f"<{node.tag}>" if isinstance(node, Block) else node.name
    why = why_not(tag, name, node.argument)
    known = invented(tag, name, node.argument) if why else None
    if known is None:
        return why
    if known.status == UNLISTED:
        return ""
    instead = f"; write {known.instead}" if known.instead else ""
    return f"{known.why}{instead}"


def _only_signs(node: Line | Block) -> bool:
    """`<domain *>` with `dkim-sign yes` and nothing else: what keys are for."""
    return (
        isinstance(node, Block)
        and (node.tag, node.argument) == ("domain", "*")
        and all(
            isinstance(inner, Comment)
            or (isinstance(inner, Line) and (inner.name, inner.argument) == ("dkim-sign", "yes"))
            for inner in node.inside
        )
    )


def _is_probes(node: Line | Block) -> bool:
    return isinstance(node, Block) and (node.tag, node.argument) == ("domain", PROBE_DOMAIN)


def _source(line: Line) -> tuple[str, str]:
    """Address and host name; '' for what is not there."""
    ip, *host = line.argument.split(maxsplit=1)
    return ip, host[0] if host else ""


def _why_no_source(addresses: list[tuple[str, str]]) -> str:
    """Why a VirtualMTA cannot be counted by IP; '' when it can."""
    if not addresses:
        return "it has no smtp-source-host: nothing says which IP it sends from"
    if len(addresses) > 1:
        return (
            f"{len(addresses)} addresses in one VirtualMTA: what each sent cannot be known; make "
            "one VirtualMTA of each, and a pool of them"
        )
    ip, host = addresses[0]
    try:
        ipaddress.ip_address(ip)
    except ValueError:
        return f"{ip} is a network: write the one address it sends from"
    return "" if host else "its smtp-source-host names no host"
