"""Which mailbox provider receives a recipient, by the recipient's domain.

The table is `providers.toml`, where each provider has its sources; it is read once, at import.
Domains that are hosted at a provider (a company at Google Workspace or Microsoft 365) are learnt:
by control, which asks DNS off the message path and tells every process, as a whole table that is
swapped (`learn`). What is in the file is never learnt otherwise.
A change counts from the moment it is known: mail that went before stays with the provider it was
counted for, so that no ceiling is ever raised by it, and the fewest recipients escape one.
"""

import tomllib
from importlib import resources

OTHER = "other"

_TABLE = tomllib.loads(resources.files("policy").joinpath("providers.toml").read_text("utf-8"))

PROVIDERS: tuple[str, ...] = (*_TABLE["providers"], OTHER)
"""Names of providers, as ceilings and counters have them."""

_BY_DOMAIN: dict[str, str] = {
    domain: name for name, row in _TABLE["providers"].items() for domain in row["domains"]
}
_BY_PARENT: dict[str, str] = {
    f".{parent}": name
    for name, row in _TABLE["providers"].items()
    for parent in row.get("under", ())
}
_PARENTS = tuple(_BY_PARENT)
_BY_HOST: dict[str, str] = {
    suffix: name for name, row in _TABLE["providers"].items() for suffix in row.get("hosts", ())
}
_HOSTS = tuple(_BY_HOST)
_learnt: dict[str, str] = {}


def provider_of(domain: str) -> str:
    """The provider of a recipient domain (lower case, A-labels); `other` for all the rest."""
    found = named(domain)
    return _learnt.get(domain, OTHER) if found is None else found


def named(domain: str) -> str | None:
    """The provider under which the file has this domain."""
    found = _BY_DOMAIN.get(domain)
    if found is not None:
        return found
    if domain.endswith(_PARENTS):
        for parent in _PARENTS:
            if domain.endswith(parent):
                return _BY_PARENT[parent]
    return None


def of_host(host: str) -> str:
    """The provider whose mail server this is, by its name; `other` for all the rest."""
    name = "." + host.rstrip(".").lower()
    if name.endswith(_HOSTS):
        for suffix in _HOSTS:
            if name.endswith(suffix):
                return _BY_HOST[suffix]
    return OTHER


def learn(table: dict[str, str]) -> None:
    """From now on these domains are of these providers, and no others that were learnt before."""
    global _learnt  # noqa: PLW0603 - one table a process, swapped whole
    _learnt = table


def domains_of(provider: str) -> tuple[str, ...]:
    """The domains that the file has under a provider."""
    return tuple(_TABLE["providers"][provider]["domains"])


def hosts_of(provider: str) -> tuple[str, ...]:
    """What the names of its mail servers end with (a name itself counts); () where they have none
    of their own."""
    return tuple(_TABLE["providers"][provider].get("hosts", ()))


def parents_of(provider: str) -> tuple[str, ...]:
    """Domains below which every name is the provider's, too."""
    return tuple(_TABLE["providers"][provider].get("under", ()))
