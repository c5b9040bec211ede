"""Mail addresses that senders have."""

import re
from typing import Annotated

import msgspec

from control.problem import bad, quoted
from control.values.host import DOMAIN, FOREIGN_DOMAIN, LABEL, domain_name
from policy.address import LONGEST, mailbox_of

_LOCAL = (
    r"(?:[-.A-Za-z0-9!#$%&'*+/=?^_`{|}~]{1,64}"
    r'|(?=.{3,64}@)"(?! )(?:[ !#-\[\]-~]|\\[ -~])+(?<! )")'
)
"""ASCII alone: what else may stand there no pattern can say."""

_HOST = rf"(?=.{{1,253}}\.* *$){LABEL}(?:\.{LABEL})*\.*"


def _address(blank: str) -> msgspec.Meta:
    """An address whose local part may be anything; `blank`: what may stand around it."""
    plain = rf"^{blank}[ -~]*[!-~][ -~]*@(?:{_HOST}|\[[ -~]*\]){blank}$"
    foreign = {
        "format": "idn-email",
        "pattern": r"^(?=.*[^\u0000-\u007f])[^\u0000-\u001f\u007f-\u009f\u2028\u2029]+$",
    }
    return msgspec.Meta(extra_json_schema={"anyOf": [{"pattern": plain}, foreign]})


RecipientText = Annotated[str, _address("")]
RecipientFilter = Annotated[
    str, msgspec.Meta(extra_json_schema={"minLength": 1, "maxLength": 1_000}), _address(" *")
]

SenderText = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=LONGEST,
        extra_json_schema={
            "anyOf": [
                {"pattern": f"^(?:{_LOCAL}@)?{DOMAIN}"},
                FOREIGN_DOMAIN,
                {
                    "format": "idn-email",
                    "pattern": r"^(?=.*[^\u0000-\u007f])[^@]+@[^@]+\.(?![0-9]+\.*$)[^@.]+\.*$",
                },
            ]
        },
    ),
]
"""`user@domain` or `domain`."""

# RFC 5322 3.2.3 and RFC 6532, with dots anywhere, as some providers gave them out.
_ATOMS = re.compile(r"[-.A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\U0010ffff]+")
_QUOTED = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"')


def mail_address(field: str, text: str) -> str:
    """The mailbox an address names. Raises RefusedError."""
    local, at, domain = text.rpartition("@")
    mailbox = mailbox_of(text) if at and len(text) <= LONGEST else None
    if mailbox is None or not (_ATOMS.fullmatch(local) or _QUOTED.fullmatch(local)):
        raise bad(field, f"{quoted(text)} is not a mail address such as news@example.com")
    if len(local.encode()) > 64:
        raise bad(field, f"{quoted(text)} is over 64 octets before the @ (RFC 5321 4.5.3.1.1)")
    domain_name(field, domain)
    return mailbox


def sender(field: str, text: str) -> str:
    """A mail address, or a domain that stands for all of its addresses. Raises RefusedError."""
    return mail_address(field, text) if "@" in text else domain_name(field, text)
