"""DKIM key files as the API gives them out."""

import msgspec


class KeyFile(msgspec.Struct, frozen=True, kw_only=True):
    """A private DKIM key for PowerMTA; keep it with mode 0600."""

    name: str
    pem: str
