"""MAIL and RCPT as the gateway reads them: fast, strict, on bytes (RFC 5321 section 4.1.2).

Owns: the syntax of paths and parameters. Not here: who may use them (`gateway.session.listener`).
Rule: addresses stay bytes, exactly as they came; only what is safe to repeat in a command
towards PowerMTA is accepted (no control characters, no blanks outside a quoted local part).
What nearly all clients say is read by one expression each, and everything else, faults first of
all, by the reader of the whole grammar; a test holds them equal.
Failure: a `Reply` that names the fault.
"""

import re

from gateway.message.message import Recipient, Sender
from policy.address import normal_domain
from policy.reply import Reply, syntax, too_big

_PATH = re.compile(
    rb"""[ ]*<(?P<address>
        (?:"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"|[^\s<>"@,:;()\\\x00-\x1f\x7f]+)
        @(?P<domain>[^\s<>"@,;()\\\x00-\x1f\x7f]+)
        |)>(?:[ ]+(?P<rest>[^\r\n]*))?\Z""",
    re.VERBOSE,
)
_POSTMASTER = re.compile(rb"TO:[ ]*<postmaster>(?:[ ]+(?P<rest>[^\r\n]*))?\Z", re.I)
"""RFC 5321 4.1.1.3: the one recipient without a domain."""
_PARAMETER = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([\x21-\x3c\x3e-\x7e\x80-\xff]+))?\Z")
_XTEXT = re.compile(rb"(?:[\x21-\x2a\x2c-\x3c\x3e-\x7e]|\+[0-9A-F]{2})+\Z")
# xtext spells any octet (RFC 3461 section 4), and Postfix spells UTF-8 so. Control characters have
# no place in an original recipient (4.2: printable text), and PowerMTA writes it, decoded, into a
# field of its reports: CR and LF would begin another one.
_SPELT = rb"[\x21-\x2a\x2c-\x3c\x3e-\x7e]|\+(?:[2-689A-F][0-9A-F]|7[0-9A-E])"
_ORCPT = re.compile(rb"[A-Za-z0-9][A-Za-z0-9-]*;(?:" + _SPELT + rb")+\Z")
_ORCPT_UTF8 = re.compile(rb"utf-8;(?:" + _SPELT + rb"|[\x80-\xff])+\Z", re.I)  # RFC 6533
_NOTIFY = re.compile(rb"(?:NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY))*)\Z", re.I)

_PLAIN_PATH = rb"<([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]++@([A-Za-z0-9.-]++))>"
_PLAIN_MAIL = re.compile(
    rb"FROM:" + _PLAIN_PATH + rb"(?: SIZE=([0-9]{1,20}))?(?: BODY=(?:7BIT|(8BITMIME)))?\Z"
)
_PLAIN_RCPT = re.compile(rb"TO:" + _PLAIN_PATH + rb"\Z")

_NO_POSTMASTER = Reply(
    550, "5.1.1", "this gateway has no mailboxes, write to a postmaster with a domain"
)
MAX_PATH = 254  # RFC 5321 4.5.3.1.3: 256 octets with the angle brackets


def parse_mail(argument: bytes, *, esmtp: bool, max_size: int) -> Sender | Reply:
    """`argument` is what follows `MAIL `."""
    # A line that ends with its path has no parameters, which need EHLO.
    plain = _PLAIN_MAIL.match(argument) if esmtp or argument.endswith(b">") else None
    if plain is not None:
        address, domain, octets, body8 = plain.groups()
        size = int(octets) if octets else 0
        if size <= max_size and len(address) <= MAX_PATH and normal_domain(domain.decode()):
            return Sender(address, size, body8 is not None)
    return _any_mail(argument.lstrip(b" "), esmtp=esmtp, max_size=max_size)


def parse_rcpt(
    argument: bytes, *, esmtp: bool, utf8: bool, postmaster: bytes = b""
) -> Recipient | Reply:
    """`argument` is what follows `RCPT `; `utf8`: the transaction asked for SMTPUTF8; `postmaster`:
    the address that takes mail to the one of this host, if any does."""
    plain = _PLAIN_RCPT.match(argument)
    if plain is not None:
        address, domain = plain.groups()
        if len(address) <= MAX_PATH and (normal := normal_domain(domain.decode())):
            return Recipient(address, normal)
    return _any_rcpt(argument.lstrip(b" "), esmtp=esmtp, utf8=utf8, postmaster=postmaster)


def _any_mail(argument: bytes, *, esmtp: bool, max_size: int) -> Sender | Reply:
    match = _PATH.match(argument, 5) if argument[:5].upper() == b"FROM:" else None
    if match is None:
        return syntax("syntax: MAIL FROM:<address>")
    address = match["address"]
    if problem := _path_problem(address, match["domain"], "5.1.7"):
        return problem
    given = _parameters(match["rest"])
    if given is None:
        return syntax("malformed or repeated MAIL parameter")
    if given and not esmtp:
        return syntax("parameters need EHLO")
    size, body8, utf8, ret, envid = 0, False, False, b"", b""
    for name, value in given.items():
        if name == b"SIZE" and value.isdigit() and len(value) <= 20:
            size = int(value)
            if size > max_size:
                return too_big(max_size)
        elif name == b"BODY" and value.upper() in (b"7BIT", b"8BITMIME"):
            body8 = value.upper() == b"8BITMIME"
        elif name == b"SMTPUTF8" and not value:
            utf8 = True
        elif name == b"RET" and value.upper() in (b"FULL", b"HDRS"):
            ret = value.upper()
        elif name == b"ENVID" and _XTEXT.match(value) and len(value) <= 100:
            envid = value  # for our log and reports: PowerMTA gets ours, the key of its records
        elif name == b"AUTH" and value:
            pass  # RFC 4954 section 5: a server that does not trust it ignores it
        elif name in (b"SIZE", b"BODY", b"SMTPUTF8", b"RET", b"ENVID", b"AUTH"):
            return syntax(f"bad value of MAIL parameter {name.decode()}")
        else:
            return Reply(555, "5.5.4", "MAIL parameter not recognized")
    if not address.isascii() and not utf8:
        return Reply(553, "5.6.7", "a non-ASCII sender needs the SMTPUTF8 parameter")
    return Sender(address, size, body8, utf8, ret, envid)


def _any_rcpt(
    argument: bytes, *, esmtp: bool, utf8: bool, postmaster: bytes = b""
) -> Recipient | Reply:
    if (local := _POSTMASTER.match(argument)) is not None:
        if not postmaster:
            return _NO_POSTMASTER
        rest = local["rest"] or b""
        argument = b"TO:<%b>%b%b" % (postmaster, b" " if rest else b"", rest)
    match = _PATH.match(argument, 3) if argument[:3].upper() == b"TO:" else None
    if match is None or not match["address"]:
        return syntax("syntax: RCPT TO:<address>", "5.1.3")
    address = match["address"]
    if problem := _path_problem(address, match["domain"], "5.1.3"):
        return problem
    given = _parameters(match["rest"])
    if given is None:
        return syntax("malformed or repeated RCPT parameter")
    if given and not esmtp:
        return syntax("parameters need EHLO")
    notify = orcpt = b""
    for name, value in given.items():
        if name == b"NOTIFY" and _NOTIFY.match(value):
            notify = value.upper()
        elif name == b"ORCPT" and _is_original(value, utf8=utf8):
            orcpt = value
        elif name in (b"NOTIFY", b"ORCPT"):
            return syntax(f"bad value of RCPT parameter {name.decode()}")
        else:
            return Reply(555, "5.5.4", "RCPT parameter not recognized")
    if not address.isascii() and not utf8:
        return Reply(553, "5.6.7", "a non-ASCII recipient needs the SMTPUTF8 parameter")
    domain = normal_domain(match["domain"].decode())
    assert domain is not None
    return Recipient(address, domain, notify, orcpt)


def _is_original(value: bytes, *, utf8: bool) -> bool:
    """Whether this is a value of ORCPT that is safe to pass on (RFC 3461 section 4.2)."""
    if len(value) > 500:
        return False
    if _ORCPT.match(value):
        return True
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return utf8 and _ORCPT_UTF8.match(value) is not None


def _path_problem(address: bytes, domain: bytes | None, status: str) -> Reply | None:
    if domain is None:  # the null path
        return None
    if len(address) > MAX_PATH:
        return syntax(f"address is longer than {MAX_PATH} octets", status)
    try:
        address.decode()
    except UnicodeDecodeError:
        return syntax("address is not UTF-8", status)
    if normal_domain(domain.decode()) is None:
        return Reply(553, status, "the domain of the address is malformed")
    return None


def _parameters(rest: bytes | None) -> dict[bytes, bytes] | None:
    """Upper-case name to value; None when one is malformed or given twice."""
    if not rest:
        return {}
    given: dict[bytes, bytes] = {}
    for word in rest.split():
        match = _PARAMETER.match(word)
        if match is None or match[1].upper() in given:
            return None
        given[match[1].upper()] = match[2] or b""
    return given
