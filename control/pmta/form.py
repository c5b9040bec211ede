"""What may stand behind a directive's name: the words of the column `form` of `directives.csv`.

Rule: a form is read as loadtest/README.md describes it, and an argument is judged by its form
alone, quoted or not. Source: PowerMTA v5.0 User's Guide, 3.2 and the syntax of each directive.
"""

import re
from functools import cache
from typing import NamedTuple

_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_IPV6 = r"(?=[^/\s]*:[^/\s]*:)[0-9A-Fa-f:.]+"
_SHORT = rf"{_OCTET}(?:\.{_OCTET}){{0,3}}/(?:3[0-2]|[12]?\d)"
_CIDR = rf"(?:{_SHORT}|{_IPV4}|{_IPV6}(?:/\d{{1,3}})?)"
_IP = rf"(?:{_IPV4}|{_IPV6})"
_PORT = r"(?:6553[0-5]|655[0-2]\d|65[0-4]\d\d|6[0-4]\d{3}|[1-5]\d{4}|\d{1,4})"
_ENDPOINT = rf"(?:(?:{_SHORT}|{_IPV4}|\[{_IPV6}\]):{_PORT})"
_LABEL = r"(?!-)[^\s.,:;/@*$<>{}()\[\]\"'|\\]+"
# The last label of a name has a letter: `192.0.2.1` is an address.
_HOST = rf"(?:{_LABEL}\.)*(?=[^\s.,]*[^\W\d]){_LABEL}\.?"
# `$macro` may be any part of a domain (3.3.10).
_MACRO = r"(?=\S*\$\w)[^\s,:;/@*<>{}()\[\]\"'|\\]+"
_PATTERN = rf"(?:\*|(?:\*\.|\[\*\.\])?{_HOST}|\[{_CIDR}\])"
_LOCAL = r"[^\s@,<>\"]+"
_EMAIL = rf"{_LOCAL}@(?:{_HOST}|\[[^\]\s]+\])"
_NAME = r"(?:[^\s,<>\"{}/]+|\{default\})"
_HEADER = r"[!-9;-~]+"
# It ends at the first slash behind which it can end.
_REGEX = r"/(?:[^\\/]|\\.|/(?![\s,]|$))*/(?=[\s,]|$)"
_MATCHED = rf"(?:{_REGEX}|(?!/)[!-+\--9;-~]+)"
# Chapter 11; `timeFirstAttempt` is the edition of 2020's.
_FIELDS = (
    "type|timeLogged|timeQueued|timeFirstAttempt|totalSecondsQueued|orig|rcpt|orcpt|dsnAction"
    "|dsnStatus|dsnDiag|dsnMta|dsnReportingMta|bounceCat|srcType|srcMta|dlvType|dlvSourceIp"
    "|dlvDestinationIp|dlvEsmtpAvailable|dlvSize|vmta|jobId|envId|queue|vmtaPool|userString"
    "|dlvTlsProtocol|dlvTlsCipher|rcvSmtpUser|rcvSourceIp|rcvDestinationIp|format|repSourceIp"
    "|feedbackType|userAgent|reportingMta|reportedDomain"
)
_FIELD = rf"(?i:{_FIELDS}|(?:header|arf)_[!-+\--9;-~]+)"
_RECORD = (
    "(?:d|b|t|tq|r|f|rb|rs|delivery|bounce|transient|transient-queue|receipt|feedback-loop"
    "|remote-bounce|remote-status)"
)
_PER = r"\d*(?:day|d|hr|h|min|m|sec|s)"
_HOST_ITEM = rf"(?:(?:{_HOST}|\[{_IPV4}\]|\[IPv6:{_IPV6}\])(?::{_PORT})?|lookup-mx:\s*{_HOST})"
_INTERVAL = r"(?:\d+[wdhmsWDHMS])+"
_ACTIONS = (
    "mode=normal|mode=backoff|skip-mx|bounce-queue|bounce-rcpt|disable-source-ip|defer-queue"
    rf"|reenable-after=(?:{_INTERVAL}|never)"
)
_LATER_ACTIONS = rf"{_ACTIONS}|backoff-to-normal-after=(?:{_INTERVAL}|never)"


def _only_behind(action: str, before: str) -> str:
    return rf"(?!(?:(?!{before}).)*{action})(?!.*{action}.*{action})"


# What 3.3.15 forbids together.
_CLASHING = r"(?!(?=.*mode=backoff).*mode=normal)(?!(?=.*skip-mx).*bounce-queue)" + _only_behind(
    "reenable-after", "disable-source-ip"
)
_CHOICE = rf"(?:virtual-mta={_NAME}|recipient-priority=(?:100|\d\d?))"
_ADDRESS = rf"(?:<>|\*@{_HOST}|{_LOCAL}@\*|{_EMAIL})"

_KINDS = {
    "BOOLEAN": "(?i:yes|no|true|false)",
    "INTEGER": r"\d+",
    "INTERVAL": _INTERVAL,
    "DAYS": r"\d+[dD]",
    "SIZE": r"\d+[bkmgtBKMGT]",
    "RATE": rf"0*[1-9]\d*/(?i:{_PER})",
    "VOLUME-RATE": rf"(?i:\d+[bkmgt]?/{_PER})",
    "DAILY": r"\d+/(?i:day|d)",
    "CIDR": _CIDR,
    "IP": _IP,
    "ENDPOINT": _ENDPOINT,
    "HOST-PORT": rf"(?:{_ENDPOINT}|{_HOST}:{_PORT})",
    "CLIENT": rf"(?:{_IPV4}(?::{_PORT})?|{_IPV6}|\[{_IPV6}\]:{_PORT})",
    "SOURCE-OPTION": rf"source={_NAME}",
    "HOST": _HOST,
    "DOMAIN": _HOST,
    "PATTERN": _PATTERN,
    "QUEUE-PATTERN": rf"(?:{_PATTERN}|(?:\*\.|\[\*\.\])?{_MACRO}|\{{[A-Za-z]+\}})",
    "EMAIL": _EMAIL,
    "LOCAL-PART": _LOCAL,
    "IDENTITY": rf"(?:{_EMAIL}|@?{_HOST})",
    "NAME": _NAME,
    "SOURCE-NAME": rf"(?![0-9.:/]+$){_NAME}",
    "FILE": r"[^\s|\"]\S*",
    "PATH": r"(?:/|[A-Za-z]:[\\/]|[^\s/\\|\"]+\\)\S*",
    "PIPE": r"\|.+",
    "TEXT": r"[^\s\"]\S*",
    "URL": r"(?i:https?://[^\s/@?#]+(?:/[^\s#]*)?)",
    "REGEX": _REGEX,
    "HEADER": _HEADER,
    "HEADER-MATCH": _MATCHED,
    "API-KEY": r"\w{32,128}",
    "HEX-KEY": "[0-9A-Fa-f]{40}",
    "DOMAIN-KEY": rf"[^\s,]+\s*,\s*(?:\*|{_HOST})\s*,\s*[^\s,]+",
    "LATER-DOMAIN-KEY": rf"[^\s,]+\s*,\s*(?:\*|{_HOST}|{_MACRO}|\{{domain\}})\s*,\s*[^\s,]+",
    "MACRO-DOMAIN": rf"(?:\*\.|\[\*\.\])?{_MACRO}",
    "MACRO-NAME": r"\w+",
    "MACRO-VALUE": r"[^\s,\"]+",
    "HOSTS": rf"{_HOST_ITEM}(?:\s*[,;]\s*{_HOST_ITEM})*",
    "RECORD": _RECORD,
    "ATTEMPT-RECORD": "(?:d|b|t|tq)",
    # `fbl` is in an example of 12.7.1, and from there in configurations.
    "MAPPED-RECORD": rf"(?!tq\b|transient-queue)(?:{_RECORD}|fbl)",
    "FIELD": _FIELD,
    "FIELD-CHOICE": rf"(?:\*|!?{_FIELD})",
    "HEADER-FIELD": rf"header_{_HEADER}",
    "QUEUE-FILTER": rf"!?{_PATTERN}(?:/(?:\*|{_NAME}))?",
    "SIGNALS": r"(?:true(?:,subaccount=\d+)?|false)",
    "SIGNALS-CHOICE": r"(?:enable-signals(?:,subaccount=\d+)?|disable-signals)",
    "SELECTION": rf"(?:{_CHOICE}(?:\s*,\s*{_CHOICE})*|call-to:\s*{_NAME}|<pattern-list>)",
    "ACTIONS": rf"(?i:{_CLASHING}(?:{_ACTIONS})(?:\s*,\s*(?:{_ACTIONS}))*)",
    # The edition of 2020's.
    "LATER-ACTIONS": rf"(?i:{_CLASHING}{_only_behind('backoff-to-normal-after', 'mode=backoff')}"
    rf"(?:{_LATER_ACTIONS})(?:\s*,\s*(?:{_LATER_ACTIONS}))*)",
    "ADDRESS-MATCH": rf"(?:\*@\*|{_ADDRESS})",
    "ADDRESS-TARGET": _ADDRESS,
    "ROLLUP": rf"{_HOST}(?<=\.rollup)",
}
# Where blanks may stand within quotes.
_SPACED = {
    "FILE": r'"(?!\|)(?:[^"\\]|\\.)+"',
    "PATH": r'"(?:/|[A-Za-z]:[\\/])(?:[^"\\]|\\.)*"',
    "TEXT": r'"(?:[^"\\]|\\.)*"',
    "PIPE": r'"\|.+"',
}

_BOUNDED = re.compile(r"([A-Z-]+)\((\w*)\.\.(\w*)\)")
_UNITS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}


class Bound(NamedTuple):
    """What the group `group` of a form may be at least and at most; '': as it likes."""

    group: str
    kind: str
    low: str
    high: str

    def holds(self, text: str | None) -> bool:
        """Whether `text` is within it; a group that is not there is."""
        if text is None:
            return True
        value = _measure(self.kind, text)
        return not (
            (self.low and value < _measure(self.kind, self.low))
            or (self.high and value > _measure(self.kind, self.high))
        )


class Form(NamedTuple):
    """A form, ready to judge arguments."""

    pattern: re.Pattern[str]
    bounds: tuple[Bound, ...]

    def fits(self, argument: str) -> bool:
        """Whether what stands behind a directive's name has this form."""
        found = self.pattern.fullmatch(argument.strip())
        return found is not None and all(b.holds(found[b.group]) for b in self.bounds)


@cache
def form(text: str) -> Form:
    """What the column `form` says. Raises KeyError for a kind that does not exist."""
    words: list[str] = []
    bounds: list[Bound] = []
    for word in text.split():
        optional = word.startswith("[")
        choice = "|".join(_alternative(a, bounds) for a in word.strip("[]").split("|"))
        before = r"\s+" if words else ""
        words.append(f"(?:{before}(?:{choice}))" + "?" * optional)
    return Form(re.compile("".join(words)), tuple(bounds))


def _alternative(word: str, bounds: list[Bound]) -> str:
    if not word[0].isupper():
        return f"(?i:{re.escape(word)})"
    if bounded := _BOUNDED.fullmatch(word):
        kind, low, high = bounded.groups()
        bounds.append(Bound(f"b{len(bounds)}", kind, low, high))
        return f"(?P<{bounds[-1].group}>{_KINDS[kind]})"
    if word.endswith("-LIST"):
        one = _KINDS[word.removesuffix("-LIST")]
        several = rf"{one}(?:\s*,\s*{one})*"
        quoted = rf'"{one}"'
        return rf'{several}|"{several}"|(?:{one}|{quoted})(?:\s*,\s*(?:{one}|{quoted}))*'
    kind = _KINDS[word]
    return f"{kind}|{_SPACED[word]}" if word in _SPACED else f'{kind}|"{kind}"'


def _measure(kind: str, text: str) -> int:
    text = text.lower()
    if kind == "INTERVAL":
        return sum(int(n) * _SECONDS[unit] for n, unit in re.findall(r"(\d+)([wdhms])", text))
    return int(text) if text.isdecimal() else int(text[:-1]) * _UNITS[text[-1]]
