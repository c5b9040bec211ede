"""Whose servers the MX records of a domain name. dnspython asks; nobody else names it."""

import logging
from typing import NamedTuple

from policy.provider import OTHER, of_host
from settings.providers import Providers

log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """What DNS said."""

    provider: str
    host: str
    """The best MX; '': there is none, mail goes to the domain itself or nowhere."""
    ttl: float
    """Seconds."""


class NoAnswerError(Exception):
    """Nobody said anything that counts."""


def chosen(records: list[tuple[int, str]]) -> tuple[str, str]:
    """(provider, host) of (preference, host) pairs: mail goes to those with the lowest number
    (RFC 5321 section 5.1), so all of these have to be the provider's; a backup elsewhere, or a
    filter in front, is its own."""
    if not records:
        return OTHER, ""
    lowest = min(preference for preference, _ in records)
    hosts = sorted(host.rstrip(".").lower() for preference, host in records if preference == lowest)
    providers = {of_host(host) for host in hosts}
    return (providers.pop() if len(providers) == 1 else OTHER), hosts[0]


class Resolver:
    """Asks the servers of `settings`."""

    def __init__(self, settings: Providers) -> None:
        """Raises ValueError where the system names no server."""
        # Here: it takes a tenth of a second, which each command of `sendgate` would wait for.
        import dns.asyncresolver
        import dns.nameserver
        import dns.resolver

        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not settings.nameservers)
        except dns.resolver.NoResolverConfiguration as error:
            raise ValueError(str(error)) from error
        self._timeout = settings.timeout
        self._negative = settings.least
        if settings.nameservers:
            self._resolver.nameservers = [
                dns.nameserver.Do53Nameserver(*server_address(text))
                for text in settings.nameservers
            ]

    async def mx(self, domain: str) -> Answer:
        """Raises NoAnswerError: nobody answered in time, or with a failure."""
        import dns.exception
        import dns.resolver

        try:
            found = await self._resolver.resolve(
                domain, "MX", lifetime=self._timeout, search=False, raise_on_no_answer=False
            )
        except dns.resolver.NXDOMAIN:
            return Answer(OTHER, "", self._negative)
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise NoAnswerError(str(error) or type(error).__name__) from error
        if found.rrset is None:
            return Answer(OTHER, "", self._negative)
        records = [(record.preference, record.exchange.to_text()) for record in found.rrset]
        provider, host = chosen(records)
        return Answer(provider, host, float(found.rrset.ttl))


def resolver(settings: Providers) -> Resolver | None:
    """What asks DNS; None where nobody may be asked, or the system names no server."""
    if not settings.lookups:
        return None
    try:
        return Resolver(settings)
    except ValueError as error:
        log.warning("no DNS server is known (%s): name some in providers.nameservers", error)
        return None


def server_address(text: str) -> tuple[str, int]:
    """IP and port of a name server as settings have it; 53 where none is said."""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):
        return text.strip("[]"), 53
    return host.strip("[]"), int(port)
