"""Enhanced status codes in the gateway's replies (RFC 2034 section 4)."""

import re

_CODED = re.compile(r"([245])[0-9]{2}[ -]\1\.[0-9]{1,3}\.[0-9]{1,3} ")
_BARE = re.compile(
    r"220 gateway\.test ESMTP"
    r"|250[ -](gateway\.test|PIPELINING|SIZE|8BITMIME|SMTPUTF8|DSN|ENHANCEDSTATUSCODES)\b"
    r"|250[ -](STARTTLS|AUTH)\b"
    r"|3[0-9]{2} "
)
"""The greeting, the reply to EHLO and HELO, and what only says go on."""


def well_coded(line: str) -> bool:
    """Whether a reply line has its enhanced code, or is one that has none."""
    return (_CODED.match(line) or _BARE.match(line)) is not None
