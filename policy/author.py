"""The mailbox that a `From:` field names (RFC 5322 sections 3.4, 3.6.2, 4.4).

Owns: reading the field, and why it cannot be read. Not here: one address by itself
(`policy.address`), what is done about either (`gateway.message.routing`).
Rules: every spelling of one address is one mailbox, or a mailbox's maximum is escaped by spelling
it anew; what mail programs may read in two ways is refused. Read leniently is only what they read
alike: commas, parentheses, quotes and colons that stand raw in a display name before an address in
angle brackets, which PHP's own encoders write.
Failure: a `FromProblem`, whose value is the sentence for the client.
"""

import re
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from policy.address import LONGEST, mailbox_name, mailbox_of, sender_domain


class FromProblem(StrEnum):
    """Why a header names no single mailbox; the value is the sentence for the client."""

    MISSING = "the message has no From: field"
    SEVERAL = "the message has more than one From: field or From: address"
    TOO_LONG = "the From: field is longer than 8192 characters"
    NO_ADDRESS = "the From: field holds no address"
    BRACKETS = "an angle bracket of the From: field has no counterpart"
    BESIDE = "the From: field has words beside its address: put that in angle brackets"
    LONG = "the From: address has more than 254 characters before its @"
    AT = "the From: address does not have exactly one @"
    LOCAL = "the From: address has a character before its @ that may not stand there unquoted"
    DOMAIN = "the From: address has a malformed domain"
    ENCODED = "the From: address is an encoded word, which only its display name may be"

    @property
    def unreadable(self) -> bool:
        """The field is there, once, and nobody can say whose it is."""
        return self not in (FromProblem.MISSING, FromProblem.SEVERAL)


class _Token(NamedTuple):
    kind: str
    """One of `<>,;:@`, or: text, quoted, encoded, literal."""
    text: str
    """A quoted string's without its quotes."""


_ATOM = r"-.A-Za-z0-9!#$%&'*+/=^_`{|}~"
# What nearly all mail has: a name in atoms, encoded words or simple quotes, then the address.
_PLAIN = re.compile(rf'(?:[{_ATOM}? ]*+|[ ]*+"[^"\\\r\n]*+"[ ]*+)<([{_ATOM}]++@[A-Za-z0-9.-]++)>\Z')
_LONGEST = 8192
_FOLD = re.compile(r"\r\n(?=[ \t])")
_TOKEN = re.compile(
    r"""(?P<blank>\s+)
    |"(?P<quoted>(?:[^"\\]|\\.)*+)"
    |(?P<encoded>=\?[^?\s<>]+\?[bBqQ]\?[^?\s<>]*\?=)
    |(?P<special>[<>,;:@])
    |(?P<text>[^\s"(,:;<>@]+|["(])""",
    re.VERBOSE | re.DOTALL,
)
_LITERAL = re.compile(r"\[[^\[\]\\\s]*\]")
_PARENTHESIS = re.compile(r"\\.|[()]", re.DOTALL)
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_OPEN_ENDED = 8
"""Parentheses without an end that are looked for one; each look reads the rest of the field."""


def from_mailbox(value: str) -> str | FromProblem:
    """The mailbox of one folded or unfolded `From:` value."""
    plain = _PLAIN.match(value) if len(value) <= _LONGEST else None
    if plain is not None and len(plain[1]) <= LONGEST:
        return mailbox_of(plain[1]) or FromProblem.DOMAIN
    return any_mailbox(value)


def any_mailbox(value: str) -> str | FromProblem:
    """As `from_mailbox`, by the whole grammar; a test holds the two equal."""
    text = _FOLD.sub("", value)
    if len(text) > _LONGEST:
        return FromProblem.TOO_LONG
    pieces = _pieces(_tokens(text))
    if isinstance(pieces, FromProblem):
        return pieces
    found: list[str] = []
    words = False
    for piece in pieces:
        kinds = [token.kind for token in piece]
        address: str | FromProblem
        if "<" in kinds:
            address = _in_brackets(piece, kinds)
            words = False  # they were the begin of its display name
        elif "@" in kinds:
            address = FromProblem.BESIDE if words else _address(piece)
        else:
            words = words or bool(piece)
            continue
        if isinstance(address, FromProblem):
            return address
        if address not in found:
            found.append(address)
    if not found:
        return FromProblem.NO_ADDRESS
    if len(found) > 1:
        return FromProblem.SEVERAL
    return FromProblem.BESIDE if words else found[0]


def _tokens(text: str) -> list[_Token]:
    """Comments and blanks only separate. What opens and does not close is text."""
    tokens: list[_Token] = []
    at, open_ended, unquoted = 0, 0, False
    while at < len(text):
        if unquoted and text[at] == '"':
            tokens.append(_Token("text", '"'))
            at += 1
            continue
        if text[at] == "(" and open_ended < _OPEN_ENDED:
            end = _comment_end(text, at)
            if end:
                at = end
                continue
            open_ended += 1
        if text[at] == "[" and tokens and tokens[-1].kind == "@":
            literal = _LITERAL.match(text, at)
            if literal is not None:
                tokens.append(_Token("literal", literal[0]))
                at = literal.end()
                continue
        match = _TOKEN.match(text, at)
        assert match is not None, "the last branch takes what the others leave"
        at = match.end()
        kind = match.lastgroup
        # Every later one is escaped, as this one sees it, and closes as little.
        unquoted = unquoted or match[0] == '"'
        if kind == "special":
            tokens.append(_Token(match[0], match[0]))
        elif kind == "quoted":
            tokens.append(_Token(kind, _PAIR.sub(r"\1", match["quoted"])))
        elif kind is not None and kind != "blank":
            tokens.append(_Token(kind, match[0]))
    return tokens


def _comment_end(text: str, start: int) -> int:
    """Where the comment ends that begins here (they nest); 0: nowhere."""
    depth = 0
    for match in _PARENTHESIS.finditer(text, start):
        if match[0] == "(":
            depth += 1
        elif match[0] == ")":
            depth -= 1
            if not depth:
                return match.end()
    return 0


def _pieces(tokens: list[_Token]) -> list[list[_Token]] | FromProblem:
    """The field cut at its commas, and at the semicolons that some programs write for them; without
    the names of groups (RFC 6854 has them in From:)."""
    pieces: list[list[_Token]] = [[]]
    inside = False
    for token in tokens:
        kind = token.kind
        if kind in ("<", ">"):
            if inside == (kind == "<"):
                return FromProblem.BRACKETS
            inside = not inside
        elif not inside and kind in (",", ";"):
            pieces.append([])
            continue
        elif not inside and kind == ":":
            if any(known.kind in ("<", "@") for known in pieces[-1]):
                return FromProblem.BESIDE
            pieces[-1] = []
            continue
        pieces[-1].append(token)
    return FromProblem.BRACKETS if inside else pieces


def _in_brackets(piece: list[_Token], kinds: list[str]) -> str | FromProblem:
    """The address of `name <address>`. A name may hold any text, another address too."""
    begin, end = kinds.index("<"), kinds.index(">")
    if "<" in kinds[end:] or "@" in kinds[end:]:
        return FromProblem.SEVERAL
    inner, kinds = piece[begin + 1 : end], kinds[begin + 1 : end]
    if not inner:
        return FromProblem.NO_ADDRESS
    if kinds[0] == "@" and ":" in kinds:
        # A source route (RFC 5322 4.4), which says nothing of whose it is.
        colon = kinds.index(":")
        if any(kind not in ("@", ",", "text", "literal") for kind in kinds[:colon]):
            return FromProblem.LOCAL
        inner = inner[colon + 1 :]
    elif "," in kinds and kinds.count("@") > 1:
        return FromProblem.SEVERAL
    return _address(inner)


def _address(tokens: list[_Token]) -> str | FromProblem:
    """`local@domain`, blanks and comments between its words allowed (RFC 5322 4.4)."""
    ats = [place for place, token in enumerate(tokens) if token.kind == "@"]
    if len(ats) != 1:
        return FromProblem.AT
    before, after = tokens[: ats[0]], tokens[ats[0] + 1 :]
    if not before:
        return FromProblem.LOCAL
    kinds = {token.kind for token in before}
    local = "".join([token.text for token in before])
    if "encoded" in kinds or ("quoted" not in kinds and _holds_encoded(local)):
        return FromProblem.ENCODED
    if len(local) > LONGEST:
        return FromProblem.LONG
    if not kinds <= {"text", "quoted"}:
        return FromProblem.LOCAL
    if any(token.kind not in ("text", "literal") for token in after):
        return FromProblem.DOMAIN
    if not _joined(before) or not _joined(after):
        return FromProblem.BESIDE
    for token in before:
        if token.kind == "text" and mailbox_name(token.text, quoted=False) is None:
            return FromProblem.LOCAL
    name = mailbox_name(local, quoted="quoted" in kinds)
    if name is None:
        return FromProblem.LOCAL
    domain = sender_domain("".join([token.text for token in after]))
    return FromProblem.DOMAIN if domain is None else f"{name}@{domain}"


def _holds_encoded(local: str) -> bool:
    """Whether a begin of an encoded word has an end behind it. Two looks: an expression with a gap
    between them would look for the end again at each begin."""
    begin = local.find("=?")
    return begin >= 0 and local.find("?=", begin + 2) >= 0


def _joined(words: list[_Token]) -> bool:
    """Whether a dot stands between any two words."""
    for left, right in pairwise(words):
        dotted = (left.kind == "text" and left.text.endswith(".")) or (
            right.kind == "text" and right.text.startswith(".")
        )
        if not dotted:
            return False
    return True
