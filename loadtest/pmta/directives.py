"""Which directives exist, in which block, and the shape of their values.

Source: PowerMTA 5.0 User's Guide, configuration directives. A stand-in that accepted anything
would let a generator invent syntax; so an unknown name, a missing value or a value of the wrong
shape is a load error here as it is there. Blocks whose lines are patterns are not looked into.
"""

import re

from loadtest.pmta.grammar import Block, ConfigError, Directive

FLAG = re.compile(r"(?i)yes|no|true|false")
COUNT = re.compile(r"\d+|unlimited|auto")
INTERVAL = re.compile(r"(?i)(\d+[wdhms])+|never|0")
SIZE = re.compile(r"(?i)\d+[bkmgt]?|unlimited")
RATE = re.compile(r"(?i)unlimited|0|\d+/\d*(d|h|m|s|day|hour|min|sec)")
TEXT = re.compile(r"(?s).*")

SHAPES = {
    FLAG: "yes or no",
    COUNT: "a number",
    INTERVAL: "an interval such as 1d12h",
    SIZE: "a size such as 10M",
    RATE: "a rate such as 100/15m",
}


def _table(**shapes: str) -> dict[str, re.Pattern[str]]:
    patterns = {
        "flags": FLAG,
        "counts": COUNT,
        "intervals": INTERVAL,
        "sizes": SIZE,
        "rates": RATE,
        "texts": TEXT,
    }
    return {name: patterns[shape] for shape, names in shapes.items() for name in names.split()}


DOMAIN = _table(
    rates="max-msg-rate max-connect-rate backoff-max-msg-rate source-ip-max-msg-rate"
    " max-smtp-msg-rate",
    counts="max-smtp-out max-msg-per-connection max-rcpt-per-message max-errors-per-connection",
    intervals="bounce-after backoff-retry-after backoff-to-normal-after reenable-source-ip-after"
    " connect-timeout idle-timeout",
    flags="backoff-to-normal-after-delivery dkim-sign use-starttls require-starttls"
    " disable-acct-records bounce-upon-no-mx smtp-421-means-mx-unavailable assume-delivery"
    " log-connections log-commands log-resolution log-data log-transfer-failures ignore-8bitmime"
    " use-unencrypted-plain-auth replace-smtp-421-service-response",
    texts="backoff-notify bounce-upon-5xx-greeting reroute-to-virtual-mta retry-after"
    " backoff-reroute-to-virtual-mta smtp-pattern-list smtp-hosts queue-to type file-format"
    " file-destination file-transient-error-delay command max-cold-virtual-mta-msg"
    " auth-username auth-password dkim-algorithm dkim-identity backoff-upon-all-sources-disabled",
)
VIRTUAL_MTA = _table(
    counts="max-smtp-out",
    rates="max-smtp-msg-rate max-smtp-data-volume-rate",
    texts="smtp-source-host host-name domain-key cold-virtual-mta rewrite-list use-proxy"
    " include-headers-from second-dkim-key bounce-category-patterns",
)
POOL = _table(
    counts="max-smtp-out",
    rates="max-smtp-msg-rate",
    texts="virtual-mta cold-virtual-mta domain-key",
)
SOURCE = _table(
    flags="smtp-service always-allow-relaying process-x-virtual-mta retain-x-virtual-mta"
    " add-x-virtual-mta-header reject-invalid-virtual-mta allow-empty-x-virtual-mta process-x-job"
    " retain-x-job process-x-envid retain-x-envid process-x-dkim-options process-x-dkim-key"
    " process-x-schedule hide-message-source add-received-header allow-starttls require-auth"
    " allow-unencrypted-plain-auth allow-auth require-starttls-before-auth add-message-id-header"
    " disconnect-on-transient-error allow-chunking allow-smtputf8 allow-mailmerge add-date-header"
    " always-allow-api-submission log-connections log-commands log-data"
    " remove-received-headers accept-invalid-recipients",
    counts="max-rcpt-per-message",
    sizes="max-message-size",
    intervals="smtp-command-timeout smtp-data-timeout",
    texts="default-virtual-mta jobid-header pattern-list remove-header suppression-lists"
    " verp-default default-virtual-mta-by-smtp-source-ip",
)
GLOBAL = {
    **DOMAIN,
    **_table(
        flags="run-as-root smtp-await-slot http-redirect-to-https"
        " http-csrf-protection sync-msg-create sync-msg-update"
        " track-time-first-attempt deliver-local-dsn",
        counts="total-max-smtp-in total-max-smtp-out http-mgmt-port spool-max-recipients"
        " max-memory-usage-percent mx-connection-limit ip-connection-limit dns-cache-size",
        texts="host-name postmaster log-file spool smtp-listener smtp-source-host domain-macro"
        " domain-key invalid-virtual-mta-fallback http-access http-api-key"
        " smtp-server-tls-certificate"
        " smtp-server-tls-ciphers relay-domain relay-address bounce-domain pid-file"
        " smtp-port name-server dns-tcp-timeout edns-udp-length log-rotate"
        " transmissions-api-listener"
        " http-listener orig-domain-suppression-list",
    ),
}
ACCOUNTING = _table(
    flags="iso-times sync world-readable",
    sizes="max-size",
    intervals="move-interval delete-after retry-interval write-timeout http-webhook-max-interval"
    " http-webhook-io-timeout http-webhook-connect-timeout",
    texts="records record-fields move-to user-string queue-filter map-header-to-field"
    " privacy-policy http-webhook-url http-webhook-extra-headers http-webhook-transfer-encoding"
    " http-webhook-ca-file http-webhook-certificate http-webhook-log-verbose",
)
USER = _table(texts="password source authentication-method", flags="require-tls")
GROUP = _table(counts="max-smtp-in reserved-smtp-in", texts="source")
SPOOL = _table(texts="deliver-only")
PROCESSOR = _table(flags="deliver-unmatched-email")
# Lines of these are patterns or addresses, not directives.
PATTERNS = {
    "smtp-pattern-list",
    "bounce-category-patterns",
    "pattern-list",
    "address-list",
    "mx-rollup-list",
    "smtp-listener",
    "transmissions-api-listener",
    "dns-override",
    "rewrite-list",
}
TABLES = {
    "": GLOBAL,
    "domain": DOMAIN,
    "virtual-mta": VIRTUAL_MTA,
    "virtual-mta-pool": POOL,
    "source": SOURCE,
    "acct-file": ACCOUNTING,
    "smtp-user": USER,
    "source-group": GROUP,
    "spool": SPOOL,
    "bounce-processor": PROCESSOR,
    "feedback-loop-processor": PROCESSOR,
}
INSIDE = {
    "virtual-mta": {"domain"},
    "virtual-mta-pool": {"domain"},
    "bounce-processor": {"address-list"},
    "feedback-loop-processor": {"address-list"},
}
_UNITS = {"b": 0, "k": 10, "m": 20, "g": 30, "t": 40}


def octets(size: str) -> int:
    """What a size such as 10M is."""
    unit = size[-1].lower()
    return int(size[:-1]) << _UNITS[unit] if unit in _UNITS else int(size)


def check(block: Block) -> None:
    """Raise ConfigError at the first directive or block that does not exist in `block`."""
    if block.tag == "address-list":
        _check_addresses(block)
    if block.tag in PATTERNS:
        return
    table = TABLES[block.tag]
    for directive in block.directives:
        _check_directive(block, directive, table.get(directive.name))
    allowed = (TABLES.keys() - {""}) | PATTERNS if not block.tag else INSIDE.get(block.tag, set())
    for inner in block.blocks:
        if inner.tag not in allowed:
            where = f" inside <{block.tag}>" if block.tag else ""
            raise ConfigError(inner.at, f"unknown block <{inner.tag}>{where}; remove it")
        check(inner)


def _check_addresses(block: Block) -> None:
    for line in block.directives:
        pattern = line.values[0] if len(line.values) == 1 else ""
        if line.name != "address" or not re.fullmatch(r"/.+/", pattern):
            raise ConfigError(line.at, "expected address /PATTERN/")


def _check_directive(block: Block, directive: Directive, shape: re.Pattern[str] | None) -> None:
    name, values = directive.name, directive.values
    if shape is None:
        where = f" in <{block.tag}>" if block.tag else ""
        problem = f"unknown directive '{name}'{where}; remove it or correct its name"
        raise ConfigError(directive.at, problem)
    if not values:
        raise ConfigError(directive.at, f"argument missing after '{name}'")
    # `source-ip-max-msg-rate CIDR rate`: the shape is that of the last value.
    if not shape.fullmatch(values[-1]):
        problem = f"invalid value '{values[-1]}' for '{name}'; write {SHAPES[shape]}"
        raise ConfigError(directive.at, problem)
