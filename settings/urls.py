"""URLs that lead nowhere, found before anybody connects: each in a sentence without the URL, which
may have a password.

redis-py and asyncpg meet some of them with an error that has a part of the URL in it, or take a
parameter that they do not know for an argument, and end with a traceback.
"""

import re
from urllib.parse import parse_qsl, unquote, urlsplit

LEDGER = ("redis", "rediss", "unix")
DATABASE = ("postgresql", "postgres")
WEB = ("http", "https")

_LEDGER_PARAMETERS = frozenset({
    "db", "username", "password", "client_name",
    "ssl_cert_reqs", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_password",
    "ssl_check_hostname",
})  # fmt: skip
_HOST = re.compile(r"\[(?P<six>[^]]*)\](?::(?P<port6>.*))?|(?P<host>[^:]*)(?::(?P<port>.*))?")
_PARAMETER = re.compile(r"[A-Za-z_]{1,40}")
_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


def ledger_problems(url: str) -> list[str]:
    """Of `ledger.url`."""
    if found := _shape(url, LEDGER):
        return found
    parts = urlsplit(url)
    problems: list[str] = []
    if parts.scheme == "unix":
        if not parts.path.strip("/"):
            problems.append("name the socket, as in unix:///run/valkey/valkey.sock")
    else:
        problems += _host(parts.netloc.rpartition("@")[2], needed=True)
        if parts.path.strip("/") and not parts.path.strip("/").isdecimal():
            problems.append("after the host stands the number of a database, as in /0")
    for name, value in _query(parts.query):
        if name not in _LEDGER_PARAMETERS:
            shown = f"parameter {name}" if _PARAMETER.fullmatch(name) else "one of the parameters"
            problems.append(f"{shown} means nothing here; leave it out")
        elif name.startswith("ssl_") and parts.scheme != "rediss":
            problems.append(f"parameter {name}: only with TLS, rediss://")
        elif name == "db" and not value.isdecimal():
            problems.append("parameter db: expected the number of a database")
        elif name == "ssl_cert_reqs" and value not in ("none", "optional", "required"):
            problems.append("parameter ssl_cert_reqs: expected none, optional or required")
    return problems


def database_problems(url: str) -> list[str]:
    """Of `database.url`, whose parameters `settings.databaseurl` has read. It may name several
    hosts, or none: then a socket of this machine or a `host` parameter is meant."""
    if found := _shape(url, DATABASE):
        return found
    parts = urlsplit(url)
    problems: list[str] = []
    for host in parts.netloc.rpartition("@")[2].split(","):
        problems += _host(host, needed=False)
    for name, value in _query(parts.query):
        if name == "port" and not all(_port(port) for port in value.split(",")):
            problems.append("parameter port: expected 1 to 65535")
    return problems


def web_problems(url: str) -> list[str]:
    """Of an HTTP address; empty is none."""
    if not url:
        return []
    return _shape(url, WEB) or _host(urlsplit(url).netloc.rpartition("@")[2], needed=True)


def _shape(url: str, schemes: tuple[str, ...]) -> list[str]:
    scheme, colon, rest = url.partition("://")
    if not colon or scheme not in schemes:
        return [f"expected a URL that begins with {' or '.join(f'{s}://' for s in schemes)}"]
    if not rest.isprintable() or " " in rest:
        return ["write blanks and control characters in percent-encoding, as %20"]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in rest and "@" not in authority and not (scheme == "unix" and not authority):
        # Whatever stands before the last @ was meant as a login, and ends too soon.
        return ["write / ? # and @ in a password or a parameter as %2F %3F %23 %40"]
    try:
        urlsplit(url)
    except ValueError:
        return ["the host in brackets is no IPv6 address"]
    return []


def _host(text: str, *, needed: bool) -> list[str]:
    match = _HOST.fullmatch(text)
    if match is None:
        return ["expected HOST:PORT after ://, an IPv6 address in brackets"]
    port = match["port"] or match["port6"] or ""
    if port and not _port(port):
        return ["the port must be a number from 1 to 65535 (a password stands before @)"]
    host = match["six"] if match["host"] is None else match["host"]
    if not host:
        return ["name a host after ://"] if needed else []
    if match["host"] is not None and "%" not in host:
        labels = host.removesuffix(".").split(".")
        if not host.isascii() or not all(_NAME.fullmatch(label) for label in labels):
            return ["the host is no name that can be resolved"]
    elif "%" in host and not unquote(host).startswith("/") and match["six"] is None:
        return ["the host is no name that can be resolved"]
    return []


def _port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < int(text[:6]) <= 65_535


def _query(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text, keep_blank_values=True)
