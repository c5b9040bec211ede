"""What a receiver finds out about one IP by SPF: check_host() of RFC 7208 section 4.

Owns: results, the count of look-ups and of void ones. Rule: more than ten terms that cost one,
more than two look-ups that find nothing, or more than ten names of an `mx` end it (4.6.4).
"""

import ipaddress
from typing import Literal, NamedTuple

from control.published.asking import Answer, Kind, Questions
from control.published.spfmacro import Address, Sender, expand
from control.published.spfrecord import Directive, SpfRecord, SpfSyntaxError, is_spf, parse

MOST_LOOKUPS = 10
MOST_VOID = 2
MOST_NAMES = 10
"""Of one `mx` or `ptr`."""
TREE = 60
"""Records that `cost` reads, whatever they include."""

Result = Literal["pass", "fail", "softfail", "neutral", "none", "temperror", "permerror"]


class Outcome(NamedTuple):
    """Of one IP."""

    result: Result
    why: str = ""


class _PermanentError(Exception):
    """permerror, with its reason."""


class _TemporaryError(Exception):
    """temperror: somebody did not answer."""


class Receiver:
    """One that looks at mail of `sender`."""

    def __init__(self, questions: Questions, sender: Sender) -> None:
        self._questions = questions
        self._sender = sender
        self._lookups = 0
        self._void = 0

    async def check(self) -> Outcome:
        """What it comes to. Raises nothing."""
        try:
            return Outcome(await self._host(self._sender.domain))
        except (_PermanentError, SpfSyntaxError) as error:
            return Outcome("permerror", str(error))
        except _TemporaryError as error:
            return Outcome("temperror", str(error))

    async def _host(self, domain: str) -> Result:
        record = await record_at(self._questions, domain)
        if record is None:
            return "none"
        for directive in record.directives:
            if await self._matches(directive, domain):
                return directive.result
        if record.redirect:
            self._cost()
            result = await self._host(expand(record.redirect, self._sender, domain))
            if result == "none":
                raise _PermanentError(f"redirect={record.redirect} leads to no SPF record")
            return result
        return "neutral"

    async def _matches(self, directive: Directive, current: str) -> bool:
        ip = self._sender.ip
        if directive.kind == "all":
            return True
        if directive.network is not None:
            return ip.version == directive.network.version and ip in directive.network
        self._cost()
        name = expand(directive.domain, self._sender, current) if directive.domain else current
        if directive.kind == "include":
            return await self._included(name)
        if directive.kind == "exists":
            return (await self._ask(name, "A")).state == "found"
        if directive.kind == "ptr":
            return await self._pointed(name)
        hosts = [name]
        if directive.kind == "mx":
            hosts = [text.split(" ", 1)[1] for text in (await self._ask(name, "MX")).values]
            if len(hosts) > MOST_NAMES:
                raise _PermanentError(f"mx of {name} names more than {MOST_NAMES} hosts")
        for host in hosts:
            if await self._leads(host, directive.cidr4, directive.cidr6):
                return True
        return False

    async def _included(self, name: str) -> bool:
        result = await self._host(name)
        if result == "none":
            raise _PermanentError(f"include:{name} leads to no SPF record")
        return result == "pass"

    async def _leads(self, host: str, cidr4: int, cidr6: int) -> bool:
        ip = self._sender.ip
        answer = await self._ask(host, "A" if ip.version == 4 else "AAAA")
        bits = cidr4 if ip.version == 4 else cidr6
        return any(
            ip in ipaddress.ip_network(f"{text}/{bits}", strict=False) for text in answer.values
        )

    async def _pointed(self, name: str) -> bool:
        ip = self._sender.ip
        answer = await self._ask(ip.reverse_pointer, "PTR")
        for host in answer.values[:MOST_NAMES]:
            inside = host == name.lower() or host.endswith(f".{name.lower()}")
            if inside and await self._leads(host, ip.max_prefixlen, ip.max_prefixlen):
                return True
        return False

    def _cost(self) -> None:
        self._lookups += 1
        if self._lookups > MOST_LOOKUPS:
            raise _PermanentError(f"more than {MOST_LOOKUPS} look-ups before it is found")

    async def _ask(self, name: str, kind: Kind) -> Answer:
        answer = await self._questions.ask(name, kind)
        if answer.state == "unknown":
            raise _TemporaryError(f"{name} {kind}: {answer.why}")
        if answer.absent:
            self._void += 1
            if self._void > MOST_VOID:
                raise _PermanentError(
                    f"more than {MOST_VOID} look-ups that find nothing: {name} last"
                )
        return answer


async def record_at(questions: Questions, domain: str) -> SpfRecord | None:
    """Of a domain; None: it has none."""
    answer = await questions.ask(domain, "TXT")
    if answer.state == "unknown":
        raise _TemporaryError(f"{domain} TXT: {answer.why}")
    texts = [text for text in answer.values if is_spf(text)]
    if len(texts) > 1:
        raise _PermanentError(f"{domain} has {len(texts)} SPF records")
    return parse(texts[0]) if texts else None


def sender_of(ip: str, domain: str, helo: str) -> Sender:
    """With an address of the domain in MAIL FROM."""
    address: Address = ipaddress.ip_address(ip)
    return Sender(address, "postmaster", domain, helo)


async def cost(questions: Questions, domain: str) -> int | None:
    """Look-ups of a receiver that has to go through all of it; None: it cannot be known, or it
    breaks off by an error that is found elsewhere. What a macro leads to is not followed."""
    total, waiting, read = 0, [domain], 0
    while waiting and read < TREE:
        read += 1
        try:
            record = await record_at(questions, waiting.pop())
        except (_PermanentError, _TemporaryError, SpfSyntaxError):
            return None
        if record is None:
            continue
        for directive in record.directives:
            if directive.kind == "all":
                break
            if directive.network is None:
                total += 1
            if directive.kind == "include" and "%" not in directive.domain:
                waiting.append(directive.domain)
        if record.redirect:
            total += 1
            waiting += [] if "%" in record.redirect else [record.redirect]
    return total
