"""The envelope: MAIL and RCPT arguments parsed into a sender and recipients.

Sources: RFC 5321 4.1.1, RFC 1870 (SIZE), RFC 6152 (BODY), RFC 6531 (SMTPUTF8), RFC 3461 (DSN).
"""

import re
from dataclasses import dataclass, field

from loadtest.pmta.headers import text
from loadtest.pmta.magic import Magic, magic_of

PATH = rb":[ ]?<(?:@[^<>\":]*:)?((?:\"(?:[^\"\\]|\\.)*\"|[^<>\" ])*)>(?: +(\S.*))?\s*"
FROM = re.compile(rb"(?i:from)" + PATH)
TO = re.compile(rb"(?i:to)" + PATH)
MAIL_PARAMETERS = frozenset({b"SIZE", b"BODY", b"SMTPUTF8", b"RET", b"ENVID", b"AUTH"})
RCPT_PARAMETERS = frozenset({b"NOTIFY", b"ORCPT"})
BAD_PATH = b"501 5.5.4 syntax error in address\r\n"
BAD_PARAMETER = b"555 5.5.4 parameter not recognised\r\n"
BAD_VALUE = b"501 5.5.4 parameter value not valid\r\n"
NEEDS_UTF8 = b"553 5.6.7 address needs SMTPUTF8\r\n"
VALUES = {
    b"SIZE": re.compile(rb"\d{1,20}"),
    b"BODY": re.compile(rb"(?i)7BIT|8BITMIME"),
    b"RET": re.compile(rb"(?i)FULL|HDRS"),
    b"ENVID": re.compile(rb"[!-~]{1,100}"),
    b"NOTIFY": re.compile(rb"(?i)NEVER|(SUCCESS|FAILURE|DELAY)(,(SUCCESS|FAILURE|DELAY))*"),
    b"ORCPT": re.compile(rb"[!-~\x80-\xff]+;[!-~\x80-\xff]+"),
    b"SMTPUTF8": re.compile(rb""),
    b"AUTH": re.compile(rb"[!-~]+"),
}
XTEXT = re.compile(rb"\+([0-9A-F]{2})")


@dataclass(slots=True)
class Recipient:
    """One accepted recipient; `domain` is lower case, `orcpt` as the client gave it."""

    address: str
    domain: str
    magic: Magic | None = None
    orcpt: str = ""


@dataclass(slots=True)
class Envelope:
    """A transaction under way, from MAIL to the reply after the dot."""

    mail_from: str
    envid: str = ""
    size: int = 0
    recipients: list[Recipient] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Recipients refused or deferred at RCPT."""
    hazardous: bool = False
    """A ``pipeline-354`` recipient was refused: DATA is answered 354, a dot is a mistake."""


def mail(argument: bytes) -> Envelope | bytes:
    """The envelope MAIL opens, or the reply that refuses `argument` (``FROM:<…> …``)."""
    parsed = _parse(FROM.fullmatch(argument), MAIL_PARAMETERS)
    if isinstance(parsed, bytes):
        return parsed
    address, parameters = parsed
    if not address.isascii() and b"SMTPUTF8" not in parameters:
        return NEEDS_UTF8
    return Envelope(
        text(address), _xtext(parameters.get(b"ENVID", b"")), int(parameters.get(b"SIZE", b"0"))
    )


def recipient(argument: bytes) -> Recipient | bytes:
    """The recipient RCPT names, or the reply that refuses `argument` (``TO:<…> …``)."""
    parsed = _parse(TO.fullmatch(argument), RCPT_PARAMETERS)
    if isinstance(parsed, bytes):
        return parsed
    address = text(parsed[0])
    local, at, domain = address.rpartition("@")
    if not (local and at and domain):
        return BAD_PATH
    return Recipient(address, domain.lower(), magic_of(local), text(parsed[1].get(b"ORCPT", b"")))


def _parse(
    match: re.Match[bytes] | None, allowed: frozenset[bytes]
) -> tuple[bytes, dict[bytes, bytes]] | bytes:
    if match is None:
        return BAD_PATH
    parameters: dict[bytes, bytes] = {}
    for word in (match[2] or b"").split():
        name, _, value = word.partition(b"=")
        name = name.upper()
        if name not in allowed:
            return BAD_PARAMETER
        if name in parameters or not VALUES[name].fullmatch(value):
            return BAD_VALUE
        parameters[name] = value
    return match[1], parameters


def _xtext(value: bytes) -> str:
    # RFC 3461 4: "+" and two capital hexadecimal digits stand for one character.
    return text(XTEXT.sub(lambda match: bytes([int(match[1], 16)]), value))
