"""Which mailbox provider receives a recipient, by the recipient's domain.

The domain alone decides: MX look-ups would put DNS on the message path, and hosted domains
(a company at Google Workspace) are judged by other rules than consumer mailboxes anyway.
The table is `providers.toml`, where each provider has its sources. It is read once, at import:
what a domain's provider is does not change while a process lives.
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


def provider_of(domain: str) -> str:
    """The provider of a recipient domain (lower case, A-labels); `other` for all the rest."""
    found = _BY_DOMAIN.get(domain)
    if found is not None:
        return found
    if domain.endswith(_PARENTS):
        for parent in _PARENTS:
            if domain.endswith(parent):
                return _BY_PARENT[parent]
    return OTHER
