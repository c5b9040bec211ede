"""What the generated configuration takes from elsewhere than a generation."""

from collections.abc import Mapping

import msgspec


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Of one control plane. Folders and files are those of PowerMTA's host."""

    gateways: tuple[str, ...]
    """Addresses or networks of the gateways."""
    accounting: str
    """Folder of the accounting files."""
    system_host: str = "localhost"
    """Host name of Sendgate's own mail."""
    keys: str = ""
    """Folder of the DKIM key files; empty: nothing is signed."""
    selectors: Mapping[tuple[str, str], str] = {}
    """(Tenant, domain) to the selector that signs."""
    bounces: tuple[str, ...] = ()
    """Addresses, or `@DOMAIN`, whose mail PowerMTA reads as bounces."""
    complaints: tuple[str, ...] = ()
    """The same for feedback loops."""
    wall: float = 0.0
    """How many times its quota of a day a VirtualMTA may attempt in PowerMTA; 0: no second wall."""
    rollups: bool = True
    """One queue for all domains of a provider, and the provider's rates."""
    backoff: bool = True
    """A queue whose provider refuses the IP goes into back-off."""
    categories: bool = False
    """Bounce categories by our table of replies, in the place of PowerMTA's."""
    webhook: str = ""
    """Where PowerMTA posts its records, too; empty: nowhere."""
    webhook_headers: str = ""
    """File of the headers it posts with."""
    monitors: tuple[str, ...] = ()
    """Addresses or networks that may read the web monitor."""
    own: Mapping[str, str] = {}
    """VirtualMTA or pool to lines of the operator's that stand in its block."""
