"""Who may bring mail in and what of it PowerMTA reads itself; who may look at its monitor. Pure."""

from control.pmta.generator.terms import Terms
from control.pmta.generator.text import ConfigValueError, address, block, networks, value
from policy.plan import PROBE_DOMAIN, SYSTEM_VIRTUAL_MTA

EVERYBODY = ("0.0.0.0/0", "::/0")
"""Networks that nobody is outside of."""
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


def sources(terms: Terms) -> str:
    """The gateways' addresses and everybody else. Raises ConfigValueError."""
    for gateway in terms.gateways:
        if networks(gateway) in EVERYBODY:
            raise ConfigValueError(f"{gateway} as a gateway's network is an open relay")
    return "\n\n".join(
        [
            *(block("source", networks(gateway), _ON) for gateway in terms.gateways),
            # PowerMTA lays the more specific source over this one.
            block("source", "0/0", _OFF),
        ]
    )


def system(terms: Terms) -> str:
    """What Sendgate's own mail goes by, and where its probes end. Raises ConfigValueError."""
    host = f"host-name {value(terms.system_host)}"
    return (
        "# Sendgate's own mail (probes), outside warm-up, from the machine's address.\n"
        + block("virtual-mta", SYSTEM_VIRTUAL_MTA, (host,))
        + "\n\n"
        + block("domain", PROBE_DOMAIN, ("type discard",))
    )


def processors(terms: Terms) -> str:
    """What makes rb and f records: PowerMTA reads the mail to these addresses itself. Raises
    ConfigValueError."""
    found = []
    for tag, kind, addresses in (
        ("bounce-processor", "rb and rs", terms.bounces),
        ("feedback-loop-processor", "f", terms.complaints),
    ):
        if addresses:
            wanted = block("address-list", "", [f"address {address(one)}" for one in addresses])
            found.append(
                f"# Makes {kind} records. These domains become PowerMTA's own: point their MX at\n"
                "# it. After a change restart PowerMTA, a reload is not enough.\n"
                + block(tag, "", ("deliver-unmatched-email no", wanted))
            )
    return "\n\n".join(found) or (
        "# rb, rs and f records need `control.pmta_bounces` and `control.pmta_complaints`."
    )


def monitors(terms: Terms) -> str:
    """Who may read the web monitor. Raises ConfigValueError."""
    lines = []
    for one in terms.monitors:
        net = networks(one)
        if net in EVERYBODY:
            raise ConfigValueError(f"{one}: that shows PowerMTA's monitor to everybody")
        lines.append(f"http-access {net} monitor")
    return "\n".join(lines)
