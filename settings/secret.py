"""What must never be shown, and how the rest of it is.

Rule: what is not known to be harmless is masked. A URL is read, not searched: a password stands
before the host, in a parameter, percent-encoded or as it is, with characters in it that end the
part of a URL it stands in. Where that cannot be told for certain, only the scheme is shown.
"""

import re
from urllib.parse import unquote

SECRETS = frozenset(
    {
        "relay.password",
        "hold.keys",
        "control.secret",
        "control.secrets_before",
        "control.pmta_api_key",
        "accounting.webhook_key",
        "accounting.webhook_keys_before",
        "log.key",
        "alerts.telegram_token",
        "alerts.webhook_url",
        "alerts.webhook_key",
        "alerts.mail_password",
    }
)
"""Fields of which nothing is shown but how many values there are."""
URLS = frozenset({
    "ledger.url", "database.url", "control.pmta_reload_url", "alerts.telegram_url", "people.url",
})  # fmt: skip

MASK = "***"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._%-]*)(?::[0-9]{1,5})?")
_NAME = re.compile(r"[A-Za-z_]{1,40}")
_HARMLESS = frozenset({
    "host", "port", "dbname", "database", "db", "sslmode", "sslcert", "sslkey", "sslrootcert",
    "sslcrl", "passfile", "service", "sslnegotiation", "ssl_min_protocol_version",
    "ssl_max_protocol_version", "target_session_attrs", "krbsrvname", "gsslib", "application_name",
    "search_path", "connection_limit", "client_name", "ssl_cert_reqs", "ssl_ca_certs",
    "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname",
})  # fmt: skip
"""Parameters whose value is shown: names, numbers and paths. `options` may set anything."""


def masked(url: str) -> str:
    """A URL as logs and errors may show it: scheme, hosts, path, and harmless parameters."""
    scheme, colon, rest = url.partition("://")
    if not colon or not _SCHEME.fullmatch(scheme):
        return MASK if url else ""
    rest, hash_, _ = rest.partition("#")
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    after = rest[len(authority) :]
    if "@" in unquote(after) or hash_:
        # A password with / ? or # in it, as likely as not; whose end nobody can tell.
        return f"{scheme}://{MASK}"
    user, at, hosts = authority.rpartition("@")
    shown = ",".join(h if _HOST.fullmatch(h) else MASK for h in hosts.split(","))
    path, mark, query = after.partition("?")
    parts = [_parameter(part) for part in query.split("&")] if mark else []
    # An empty user and password hide nothing.
    return f"{scheme}://{MASK if user else ''}{at}{shown}{path}{mark}{'&'.join(parts)}"


def _parameter(part: str) -> str:
    name, sign, value = part.partition("=")
    if not sign or not _NAME.fullmatch(name):
        return MASK if part else ""
    return part if name.lower() in _HARMLESS and ";" not in unquote(value) else f"{name}={MASK}"
