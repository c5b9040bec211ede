"""A correct minimal PowerMTA configuration for what exists: sources, VirtualMTAs, pools.

Text from a generation. Every directive is in `directives.csv`, or nothing is returned.
Rule: a fragment for `include`, never a whole main file; a value that PowerMTA would read as
something else (`#` begins a comment anywhere) is refused, not quoted away.
Failure: `ConfigValueError` names the value; nothing is written.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping

from control.pmta.directive import problem
from policy.model import VirtualMta
from policy.node import network
from policy.overflow import chain
from policy.plan import PROBE_DOMAIN, SYSTEM_VIRTUAL_MTA, Generation

_BAD = set("#\"'`\\<>")

ACCT_FILE = "sendgate.csv"
"""PowerMTA makes `sendgate-YYYY-MM-DD-NNNN.csv` of it."""

_HEADERS = "header_From,header_Message-Id"
"""Whose mail it was, and the key by which MailWizz knows it."""
_DELIVERY = (
    "timeLogged,timeQueued,orig,rcpt,orcpt,dsnAction,dsnStatus,dsnDiag,dsnMta,bounceCat,"
    "srcType,srcMta,dlvType,dlvSourceIp,dlvDestinationIp,dlvSize,vmta,jobId,envId,queue,vmtaPool,"
    f"rcvSmtpUser,{_HEADERS}"
)
_REMOTE = "dsnStatus,dsnDiag,dsnMta,dsnReportingMta,bounceCat,srcType,srcMta,envId,format"

RECORD_FIELDS = {
    "r": "timeLogged,orig,rcpt,orcpt,srcType,srcMta,vmta,vmtaPool,jobId,envId,rcvSmtpUser,"
    + _HEADERS,
    "d": _DELIVERY,
    "b": _DELIVERY,
    "t": _DELIVERY,
    # Of a queue, without a recipient.
    "tq": "timeLogged,queue,vmta,dsnStatus,dsnDiag,dsnMta,dlvType,dlvSourceIp,dlvDestinationIp",
    "rb": f"timeLogged,orig,rcpt,orcpt,{_REMOTE},{_HEADERS}",
    "rs": f"timeLogged,orig,rcpt,orcpt,dsnAction,{_REMOTE},{_HEADERS}",
    "f": "timeLogged,repSourceIp,feedbackType,format,userAgent,envId,orig,rcpt,reportingMta,"
    f"dlvSourceIp,reportedDomain,{_HEADERS}",
}
"""By type, as the guide names its fields: all types it has."""

_ON = (
    "smtp-service yes",
    "always-allow-relaying yes",
    "process-x-virtual-mta yes",
    "process-x-job yes",
    "process-x-envid yes",
)
# Not `smtp-service no`: bounces and complaints come in from anywhere.
_OFF = (
    "process-x-virtual-mta no",
    "process-x-job no",
    "process-x-envid no",
    "process-x-dkim-options no",
    "process-x-dkim-key no",
    "process-x-schedule no",
)

_HEADER = """\
# Written by Sendgate. Do not edit: change the plan with `sendgate`, then include this
# file from PowerMTA's own configuration and reload it.
# Server: {server}"""


class ConfigValueError(ValueError):
    """A value cannot stand in a PowerMTA configuration."""


def pmta_config(
    generation: Generation,
    *,
    gateways: Iterable[str],
    accounting: str,
    server: str | None = None,
    system_host: str = "localhost",
    keys: str = "",
    selectors: Mapping[tuple[str, str], str] | None = None,
    bounces: Iterable[str] = (),
    complaints: Iterable[str] = (),
) -> str:
    """The configuration of one PowerMTA server (None: of all VirtualMTAs).

    `gateways`: addresses or networks of the gateways; `accounting`: a folder on that server;
    `system_host`: the host name of Sendgate's own mail; `keys`: the folder of the DKIM key files
    as PowerMTA sees it (empty: nothing is signed); `selectors`: of (tenant, domain); `bounces` and
    `complaints`: addresses, or `@DOMAIN`, whose mail PowerMTA reads as such.
    Every VirtualMTA of the generation is written, paused and retiring ones too: PowerMTA bounces
    the mail queued for one that vanishes. Raises ConfigValueError."""
    vmtas = [v for v in generation.vmtas if server is None or v.server == server]
    names = {v.name for v in vmtas}
    signed = _signed(generation, _path(keys), selectors or {}) if keys else {}
    blocks = [
        _HEADER.format(server=_value(server or "all")),
        *(_block("source", _network(g), _ON) for g in gateways),
        # PowerMTA lays the more specific source over this one.
        _block("source", "0/0", _OFF),
        "# Sendgate's own mail (probes), outside warm-up, from the machine's address.",
        _block("virtual-mta", SYSTEM_VIRTUAL_MTA, (f"host-name {_value(system_host)}",)),
        *(_block("virtual-mta", v.name, _vmta_lines(v, signed.get(v.name, []))) for v in vmtas),
    ]
    for pool in generation.pools:
        members = [m for m in pool.members if m in names]
        # PowerMTA refuses an empty pool.
        if members:
            lines = [f"virtual-mta {_value(member)}" for member in members]
            blocks.append(_block("virtual-mta-pool", pool.name, lines))
    blocks.append(_block("domain", PROBE_DOMAIN, ("type discard",)))
    blocks += _processors(bounces, complaints)
    records = [f"records {','.join(RECORD_FIELDS)}"]
    records += [f"record-fields {kind} {fields}" for kind, fields in RECORD_FIELDS.items()]
    # Without sync a crash loses records, and a receipt that is missing proves nothing; control
    # reads the files as another user.
    records += ["iso-times yes", "sync yes", "world-readable yes"]
    folder = _path(accounting)
    blocks.append(_block("acct-file", f"{folder}/{ACCT_FILE}", records))
    text = "\n\n".join(blocks) + "\n"
    if wrong := problem(text):
        raise ConfigValueError(f"PowerMTA would refuse its configuration: {wrong}")
    return text


def _processors(bounces: Iterable[str], complaints: Iterable[str]) -> list[str]:
    """What makes rb and f records: PowerMTA reads the mail to these addresses itself."""
    found = []
    for tag, kind, addresses in (
        ("bounce-processor", "rb and rs", bounces),
        ("feedback-loop-processor", "f", complaints),
    ):
        lines = [f"        address {_pattern(address)}\n" for address in addresses]
        if lines:
            found.append(
                f"# Makes {kind} records. These domains become PowerMTA's own: point their MX at\n"
                "# it. After a change restart PowerMTA, a reload is not enough.\n"
                f"<{tag}>\n    deliver-unmatched-email no\n    <address-list>\n{''.join(lines)}"
                f"    </address-list>\n</{tag}>"
            )
    return found or [
        "# rb, rs and f records need `control.pmta_bounces` and `control.pmta_complaints`."
    ]


_ADDRESS = re.compile(r"[A-Za-z0-9._+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")


def _pattern(address: str) -> str:
    """A regular expression, as the lines of an address list are."""
    if not _ADDRESS.fullmatch(address):
        raise ConfigValueError(f"{address!r} is neither ADDRESS@DOMAIN nor @DOMAIN")
    start = "" if address.startswith("@") else "^"
    return f"/{start}{address.replace('.', chr(92) + '.').replace('+', chr(92) + '+')}$/"


def fits(text: str) -> bool:
    """Whether a value can stand in a PowerMTA configuration."""
    try:
        return bool(_value(text))
    except ConfigValueError:
        return False


def key_file(domain: str, selector: str) -> str:
    """The name of a DKIM key's file."""
    return f"{domain}.{selector}.pem"


def _signed(
    generation: Generation, folder: str, selectors: Mapping[tuple[str, str], str]
) -> dict[str, list[str]]:
    """VirtualMTA to the `domain-key` lines of the domains it may carry, overflow included."""
    found: dict[str, list[str]] = {}
    for tenant in generation.tenants:
        for domain, name in sorted(tenant.domains.items()):
            selector = selectors.get((tenant.name, domain))
            if selector is None:
                continue
            file = _value(f"{folder}/{key_file(domain, selector)}")
            line = f"domain-key {_value(selector)},{_value(domain)},{file}"
            first = generation.pool.get(name)
            for pool in chain(first, generation.pool) if first is not None else ():
                for member in pool.members:
                    if line not in found.setdefault(member, []):
                        found[member].append(line)
    return found


def _vmta_lines(vmta: VirtualMta, keys: list[str]) -> tuple[str, ...]:
    ip, host = str(ipaddress.ip_address(vmta.ip)), _value(vmta.host_name)
    lines = (f"smtp-source-host {ip} {host}", f"host-name {host}")
    if not keys:
        return lines
    return (*lines, *keys, "<domain *>", "    dkim-sign yes", "</domain>")


def _block(tag: str, argument: str, lines: Iterable[str]) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return f"<{tag} {_value(argument)}>\n{body}</{tag}>"


def _network(text: str) -> str:
    try:
        found = network(text, strict=False)
    except ValueError as error:
        raise ConfigValueError(f"gateway network {text!r}: {error}") from error
    return str(found.network_address if found.num_addresses == 1 else found)


def _value(text: str) -> str:
    if not text or not text.isascii() or not text.isprintable() or " " in text or _BAD & set(text):
        raise ConfigValueError(f"{text!r} cannot stand in a PowerMTA configuration")
    return text


def _path(text: str) -> str:
    return _value(text.rstrip("/"))
