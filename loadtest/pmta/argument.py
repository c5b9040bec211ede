"""The kinds of argument a directive may take, each by its form alone.

Source: PowerMTA v5.0 User's Guide, syntax definitions (3.2) and the syntax of each directive. Of a
regular expression only its slashes are checked: it is PCRE, which Python's `re` is not.
"""

import ipaddress
import re
from collections.abc import Callable
from typing import NamedTuple

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_UNITS = {"b": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}

_PER = r"\d*(?:d|day|h|hr|m|min|s|sec)"
_LABEL = r"(?!-)[^\s\x00-\x20.,:;/@*$<>{}()\[\]\"'|\\]+"
# A name's last label has a letter (RFC 3696 section 2): what has none is an address, or half one.
_HOST = rf"(?:{_LABEL}\.)*(?=[^\s.,]*[^\W\d]){_LABEL}\.?"
_LOCAL = r"[^\s@,<>\"]+"
_EMAIL = rf"{_LOCAL}@(?:{_HOST}|\[[^\]\s]+\])"
_NAME = r"(?:[^\s,<>\"{}/]+|\{default\})"
_HEADER = r"[!-9;-~]+"
# Between commas, beside patterns.
_LISTED = r"(?!/)[!-+\--9;-~]+"
_REGEX = r"/(?:[^\\]|\\.)*?/(?=\s|,|$)"
_PATTERN = rf"\*|(?:\*\.|\[\*\.\])?{_HOST}|\[[0-9A-Fa-f.:]+(?:/\d+)?\]"
_HOST_ITEM = rf"(?:{_HOST}|\[[0-9A-Fa-f.]+\]|\[IPv6:[0-9A-Fa-f:.]+\])(?::\d+)?|lookup-mx:{_HOST}"
_RECORDS = (
    "d|b|t|tq|r|f|rb|rs|delivery|bounce|transient|transient-queue|receipt|feedback-loop"
    "|remote-bounce|remote-status"
)
_FIELDS = (
    "type|timeLogged|timeQueued|totalSecondsQueued|orig|rcpt|orcpt|dsnAction|dsnStatus|dsnDiag"
    "|dsnMta|dsnReportingMta|bounceCat|srcType|srcMta|dlvType|dlvSourceIp|dlvDestinationIp"
    "|dlvEsmtpAvailable|dlvSize|vmta|jobId|envId|queue|vmtaPool|userString|dlvTlsProtocol"
    "|dlvTlsCipher|rcvSmtpUser|rcvSourceIp|rcvDestinationIp|format|repSourceIp|feedbackType"
    "|userAgent|reportingMta|reportedDomain"
)
_FIELD = rf"(?i:{_FIELDS}|(?:header|arf)_{_HEADER})"
_ACTION = (
    r"mode=normal|mode=backoff|skip-mx|bounce-queue|bounce-rcpt|disable-source-ip"
    r"|reenable-after=(?:(?:\d+[wdhms])+|never)|defer-queue"
)
_CHOICE = rf"virtual-mta={_NAME}|recipient-priority=(?:100|\d\d?)"
_SELECTION = rf"(?:{_CHOICE})(?:\s*,\s*(?:{_CHOICE}))*|call-to:\s*{_NAME}|<pattern-list>"


class Kind(NamedTuple):
    """A kind of argument: what fits, how it is told, and whether it is the rest of the line."""

    fits: Callable[[str], bool]
    says: str
    rest: bool = False


def octets(size: str) -> int:
    """What a size such as 10M is."""
    unit = size[-1].lower()
    return int(size[:-1]) << _UNITS[unit] if unit in _UNITS else int(size)


def seconds(interval: str) -> int:
    """What an interval such as 1d12h is."""
    parts = re.findall(r"(\d+)([wdhms])", interval.lower())
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


def network(text: str) -> Network | None:
    """An address or CIDR, `10/8` and `0/0` too; None for what is neither."""
    address, slash, prefix = text.partition("/")
    if slash and ":" not in address:
        address += ".0" * (3 - address.count("."))
    try:
        return ipaddress.ip_network(address + slash + prefix, strict=False)
    except ValueError:
        return None


def _ip(text: str) -> bool:
    found = network(text)
    return found is not None and "/" not in text


def _endpoint(text: str) -> bool:
    address, _, port = text.rpartition(":")
    return network(address.strip("[]")) is not None and _port(port)


def _port(text: str) -> bool:
    return text.isdecimal() and int(text) < 65536


def _client(text: str) -> bool:
    address, colon, port = text.rpartition(":")
    return _ip(text) or (bool(colon) and _ip(address.strip("[]")) and _port(port))


def _host(text: str) -> bool:
    """A name that is no address: `smtp-source-host HOST IP` is the mistake seen most."""
    return bool(re.fullmatch(_HOST, text)) and network(text) is None


def _queue_pattern(text: str) -> bool:
    # `$macro` may stand for any part of a domain (macro.py checks what comes of it).
    return bool(re.fullmatch(rf"{_PATTERN}|\{{[A-Za-z]+\}}", re.sub(r"\$\w+", "x", text)))


def _actions(text: str) -> bool:
    found = [item.strip().lower() for item in text.split(",")]
    names = [item.partition("=")[0] for item in found]
    return (
        all(re.fullmatch(_ACTION, item) for item in found)
        and not {"mode=backoff", "mode=normal"} <= set(found)
        and not {"skip-mx", "bounce-queue"} <= set(found)
        and names.count("reenable-after") <= 1
        and (
            "reenable-after" not in names
            or "disable-source-ip" in names[: names.index("reenable-after")]
        )
    )


def _match(pattern: str, says: str, *, rest: bool = False) -> Kind:
    compiled = re.compile(pattern)
    return Kind(lambda text: compiled.fullmatch(text) is not None, says, rest)


def _source_name(text: str) -> bool:
    # `10.0.0.300` is a mistyped address, no name.
    return bool(re.fullmatch(_NAME, text)) and not re.fullmatch(r"[0-9.:/]+", text)


REGEX = re.compile(_REGEX)
KINDS: dict[str, Kind] = {
    "BOOLEAN": _match(r"(?i)yes|no|true|false", "yes or no"),
    "INTEGER": _match(r"\d+", "a number"),
    "INTERVAL": _match(r"(?i)(?:\d+[wdhms])+", "an interval such as 1d12h"),
    "DAYS": _match(r"(?i)\d+d", "days such as 8d"),
    "SIZE": _match(r"(?i)\d+[bkmgt]", "a size such as 10M"),
    "RATE": _match(rf"(?i)0*[1-9]\d*/{_PER}", "a rate such as 100/15m"),
    "VOLUME-RATE": _match(rf"(?i)\d+[bkmgt]?/{_PER}", "a volume rate such as 10g/2h"),
    "DAILY": _match(r"(?i)\d+/(?:d|day)", "a daily number such as 50/day"),
    "CIDR": Kind(lambda text: network(text) is not None, "an IP address or CIDR"),
    "IP": Kind(_ip, "an IP address"),
    "ENDPOINT": Kind(_endpoint, "IP:PORT or CIDR:PORT"),
    "HOST-PORT": Kind(
        lambda t: _endpoint(t) or (_host(t.rpartition(":")[0]) and _port(t.rpartition(":")[2])),
        "IP:PORT or HOST:PORT",
    ),
    "CLIENT": Kind(_client, "IP or IP:PORT"),
    "SOURCE-OPTION": _match(rf"source={_NAME}", "source=NAME"),
    "HOST": Kind(_host, "a host name"),
    "DOMAIN": Kind(_host, "a domain"),
    "PATTERN": _match(_PATTERN, "a domain pattern such as *.example.com or [*.]example.com"),
    "QUEUE-PATTERN": Kind(_queue_pattern, "a domain pattern such as *, *.example.com or $macro"),
    "EMAIL": _match(_EMAIL, "an address such as a@example.com"),
    "LOCAL-PART": _match(_LOCAL, "the local part of an address"),
    "IDENTITY": _match(rf"{_EMAIL}|@?{_HOST}", "a@example.com or @example.com"),
    "NAME": _match(_NAME, "a name"),
    "SOURCE-NAME": Kind(_source_name, "a source's name"),
    "FILE": _match(r'(?!""$)[^|].*', "a file's name"),
    # Relative on Windows alone (3.3.1.37.2).
    "PATH": _match(r"(?:/|[A-Za-z]:[\\/]|[^\s/\\|\"]+\\).*", "an absolute path"),
    "PIPE": _match(r"\|.+", "|COMMAND", rest=True),
    "TEXT": _match(r"(?s).*", "one word, or \"several in quotes\""),
    "URL": _match(r"(?i)https?://[^\s/@?#]+(?:/[^\s#]*)?", "http(s)://HOST[:PORT][/PATH]"),
    "REGEX": _match(_REGEX, "a regular expression between slashes"),
    "HEADER": _match(_HEADER, "a header's name"),
    "HEADER-MATCH-LIST": _match(
        rf"(?:{_REGEX}|{_LISTED})(?:\s*,\s*(?:{_REGEX}|{_LISTED}))*",
        "headers' names or /regular expressions/, with commas between them",
        rest=True,
    ),
    "API-KEY": _match(r"\w{32,128}", "32 to 128 letters, digits or _"),
    "HEX-KEY": _match(r"[0-9A-Fa-f]{40}", "40 hexadecimal digits"),
    "DOMAIN-KEY": _match(
        rf"[^\s,]+\s*,\s*(?:\*|{_HOST})\s*,\s*[^\s,]+", "SELECTOR,DOMAIN,FILE", rest=True
    ),
    "MACRO-NAME": _match(r"\w+", "letters, digits and _"),
    "MACRO-VALUE": _match(r"[^\s,\"]+", "a domain, a part of one or $macro"),
    "HOSTS": _match(
        rf"(?:{_HOST_ITEM})(?:\s*[,;]\s*(?:{_HOST_ITEM}))*",
        "hosts such as mx1.example.com,[192.0.2.1]:25;mx2.example.com or lookup-mx:DOMAIN",
        rest=True,
    ),
    "ATTEMPT-RECORD": _match("d|b|t|tq", "d, b, t, tq"),
    "RECORD": _match(_RECORDS, "d, b, t, tq, r, f, rb, rs"),
    # `fbl` stands in an example of 12.7.1 alone.
    "MAPPED-RECORD": Kind(
        lambda t: t not in ("tq", "transient-queue") and t in ("fbl", *_RECORDS.split("|")),
        "d, b, t, r, f, rb, rs",
    ),
    "FIELD": _match(_FIELD, "a field of the accounting file"),
    "FIELD-CHOICE": _match(rf"\*|!?{_FIELD}", "*, FIELD or !FIELD of the accounting file"),
    "HEADER-FIELD": _match(rf"header_{_HEADER}", "header_NAME"),
    "QUEUE-FILTER": _match(rf"!?(?:{_PATTERN})(?:/(?:\*|{_NAME}))?", "[!]DOMAIN[/VMTA]"),
    "SIGNALS": _match(r"true(?:,subaccount=\d+)?|false", "true[,subaccount=N] or false"),
    "SIGNALS-CHOICE": _match(
        r"enable-signals(?:,subaccount=\d+)?|disable-signals",
        "enable-signals[,subaccount=N] or disable-signals",
    ),
    "SELECTION": _match(
        _SELECTION, "virtual-mta=NAME[,recipient-priority=N] or call-to:LIST", rest=True
    ),
    "ACTIONS": Kind(
        _actions,
        "of mode=normal, mode=backoff, skip-mx, bounce-queue, bounce-rcpt, disable-source-ip,"
        " reenable-after=INTERVAL (behind disable-source-ip), defer-queue what does not conflict",
        rest=True,
    ),
    "ADDRESS-MATCH": _match(rf"<>|\*@\*|\*@{_HOST}|{_LOCAL}@\*|{_EMAIL}", "an address, * or <>"),
    "ADDRESS-TARGET": _match(rf"<>|\*@{_HOST}|{_LOCAL}@\*|{_EMAIL}", "an address, * or <>"),
    "ROLLUP": _match(rf"{_HOST}(?<=\.rollup)", "NAME.rollup"),
}  # fmt: skip
