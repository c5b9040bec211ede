"""Suppressed recipients: the one spelling of an address, its digest, and why. Pure.

Rule: the domain is compared without case and in A-labels, an address literal in its one spelling
(RFC 5321 section 4.1.3), the local part exactly (section 2.4: it is its server's business) but for
quotes that it does not need.
A digest is keyed (BLAKE2b, RFC 7693), with a key of the installation: nobody outside can look for
two addresses that have the same one, and with 128 bits a million have one by chance once in 10^26.
"""

from hashlib import blake2b
from typing import Literal, get_args

from policy.address import normal_domain, normal_local, sender_domain

Reason = Literal["other", "bounce", "complaint", "unsubscribe", "request"]
"""Why nobody writes to an address: of no kind below, a hard bounce, a complaint (feedback loop),
an unsubscription, the recipient asked for it."""

REASONS: tuple[Reason, ...] = get_args(Reason)
"""By their numbers in the files of gateways: new ones come at the end."""

EVERYBODY = ""
"""Stands for all tenants where a tenant is named."""

DIGEST = 16
"""Octets."""

Known = Literal["", "unknown"] | Reason
"""What is known of a recipient: '' that it is not suppressed, `unknown` that nobody can say now."""


def canonical(address: str) -> str | None:
    """The one spelling of an address; None for what is none, or cannot be written as UTF-8."""
    local, at, domain = address.rpartition("@")
    normal = normal_domain(domain) if at and local else None
    if normal is None:
        return None
    try:
        return spelt(local.encode(), normal).decode()
    except UnicodeEncodeError:
        return None


def spelt(local: bytes, domain: str) -> bytes:
    """As `canonical`, of a local part and a domain in lower case and A-labels."""
    if domain[:1] == "[":
        domain = sender_domain(domain) or domain
    return b"%b@%b" % (normal_local(local), domain.encode())


class Digests:
    """By which addresses are known, of one key."""

    def __init__(self, key: bytes) -> None:
        """`key`: 1 to 64 octets."""
        self._keyed = blake2b(key=key, digest_size=DIGEST)
        self._scopes: dict[str, blake2b] = {}

    def of(self, tenant: str, name: bytes) -> bytes:
        """16 octets of an address in its one spelling; `tenant` may be EVERYBODY."""
        scope = self._scopes.get(tenant)
        if scope is None:
            if len(self._scopes) >= _SCOPES:
                self._scopes.clear()
            scope = self._keyed.copy()
            scope.update(b"%b\0" % tenant.encode())
            self._scopes[tenant] = scope
        one = scope.copy()
        one.update(name)
        return one.digest()


_SCOPES = 10_000
"""Tenants whose beginning of a digest is remembered: half a kilobyte each."""
