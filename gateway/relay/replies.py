"""Reads SMTP replies from bytes in any slices, without I/O (RFC 5321 section 4.2).

Rule: any bytes give replies or `MalformedReplyError`, in bounded memory.
"""

import re
from functools import lru_cache

from policy.reply import Reply

MAX_LINE = 2048  # four times RFC 5321 4.5.3.1.5
MAX_REPLY = 16_384
_SHORT = 160
"""Octets of a read that may come again: three replies pipelined. 1024 of them: half a megabyte."""

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])([^\r\n]*))?\Z")
_PLAIN = re.compile(rb"[2-5][0-9]{2} [\x20-\x7e]*\Z")
_STATUS = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |\Z)")


class MalformedReplyError(Exception):
    """The peer does not speak SMTP; its session must be closed."""


# A server says the same few lines for every message, and each read mostly brings whole replies.
@lru_cache(maxsize=1024)
def _known(data: bytes) -> tuple[Reply, ...] | None:
    """The replies in `data`; None unless it is whole, plain replies of one line each."""
    *lines, rest = data.split(b"\r\n")
    if rest or not lines or not all(map(_PLAIN.match, lines)):
        return None
    return tuple(_reply(int(line[:3]), [line[4:].decode("ascii")]) for line in lines)


class ReplyParser:
    """`feed` returns the replies that became complete."""

    def __init__(self) -> None:
        self._rest = b""
        self._code = b""
        self._lines: list[str] = []
        self._size = 0

    @property
    def empty(self) -> bool:
        """No part of a reply is waiting for its rest."""
        return not self._rest and not self._lines

    def feed(self, data: bytes) -> list[Reply]:
        """Raises MalformedReplyError."""
        if not self._rest and not self._lines and len(data) <= _SHORT:
            known = _known(data)
            if known is not None:
                return list(known)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE:
            raise MalformedReplyError("a reply line without an end")
        replies = []
        for line in lines:
            reply = self._line(line)
            if reply is not None:
                replies.append(reply)
        return replies

    def _line(self, raw: bytes) -> Reply | None:
        line = raw.removesuffix(b"\r")
        match = _LINE.match(line) if len(line) <= MAX_LINE else None
        if match is None:
            raise MalformedReplyError(f"not a reply line: {line[:80]!r}")
        code, separator, text = match.groups()
        if self._lines and code != self._code:
            raise MalformedReplyError(f"a reply that changes from {self._code!r} to {code!r}")
        self._size += len(line)
        if self._size > MAX_REPLY:
            raise MalformedReplyError("a reply without an end")
        self._code = code
        self._lines.append((text or b"").decode("utf-8", "replace"))
        if separator == b"-":
            return None
        texts, self._lines, self._size = self._lines, [], 0
        return _reply(int(code), texts)


def _reply(code: int, lines: list[str]) -> Reply:
    """Enhanced codes stand on every line (RFC 2034); they are read from the first and dropped."""
    match = _STATUS.match(lines[0])
    if match is None:
        return Reply(code, "", "\n".join(lines))
    status = match[1]
    texts = [line.removeprefix(status).removeprefix(" ") for line in lines]
    return Reply(code, status, "\n".join(texts))
