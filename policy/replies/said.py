"""A reply as a provider said it: code, enhanced status, its own codes, text. Pure."""

import re

import msgspec

MOST = 4_096
"""Characters of a reply that are looked at: Gmail's longest has six lines, and RFC 5321 4.5.3.1.5
allows a line 512 octets."""

_BEGIN = re.compile(r"(?:[a-z0-9.-]+;)?\s*(?:([245][0-9]{2})(?=[ -]|$)([ -]?))?")
_STATUS = re.compile(r"\s*#?([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.])[ -]*")
_WITHIN = re.compile(r"(?<![0-9.])([45]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.])")
_BRACKETED = re.compile(r"[\[(](?:a(?=s[0-9]))?([a-z]{1,6}[0-9]{1,5})[\])]")
"""[TSS04], [BL21], (S3150), and (AS3150) as Microsoft formerly wrote it."""
_HOTMAIL = re.compile(r"\b(?:rp|sc|dy|ou)-[0-9]{3}\b")
_FRENCH = re.compile(r"\b(?:ofr|lpn|lpnaaa|ouk)[0-9]{0,3}[_ -]?([0-9]{3})\b")
"""OFR006_102, LPN007_510, LPN416, LPN104-105: what comes before the last three digits says which
server it was."""
_SFR = re.compile(r"\bsfr_in_[0-9]([0-9]{2})\b")
"""SFR_IN_101: the first digit is for SFR alone."""
_CASE = re.compile(r"[?&]c=([a-z0-9]{1,8})\b")
"""The case in the link of GMX and web.de."""
_COMCAST = re.compile(r"\b(?:bl|rl|es|dm)[01]{6}\b")


class Said(msgspec.Struct, frozen=True):
    """What a diagnosis says."""

    code: str
    """`550`; only `5` where the reply has no code but a status; '' where it has neither."""
    status: str
    """`5.7.1`, of the reply or else of the record; ''."""
    tokens: frozenset[str]
    text: str
    """Lower case, one line, without the codes that begin the lines of a long reply."""


def said(status: str, diagnosis: str) -> Said:
    """Reads PowerMTA's dsnStatus (`5.7.1 (delivery not authorized)`) and dsnDiag
    (`smtp;550 5.7.1 …`), of which a long reply has the lines one after another."""
    text = diagnosis[:MOST].lower()
    if "\\" in text:
        text = text.replace("\\r", " ").replace("\\n", " ")
    text = " ".join(text.split())
    begin = _BEGIN.match(text)
    assert begin is not None  # all of it is optional
    code = begin[1] or ""
    text = text[begin.end() :]
    found = _STATUS.match(text)
    enhanced = found[1] if found is not None else ""
    if found is not None:
        text = text[found.end() :]
    if code and (begin[2] == "-" or f" {code}-" in text):
        text = _unfolded(text, code, enhanced)
    if not enhanced:
        # "553 Mail from 192.0.2.1 not allowed - 5.7.1 [BL23] …", or the record knows it alone.
        inside = _WITHIN.search(text) or _WITHIN.match(status)
        enhanced = inside[1] if inside is not None else ""
    # Where only the status is told, its class is the code's (RFC 3463 section 2).
    return Said(code or enhanced[:1], enhanced, _tokens(text), text)


def _unfolded(text: str, code: str, enhanced: str) -> str:
    """RFC 5321 4.2.1: each line of a long reply begins with the code, the last with a blank after
    it. They would stand amid the words of the rules."""
    again = f" {code}-"
    if enhanced:
        text = text.replace(f"{again}{enhanced} ", " ").replace(f" {code} {enhanced} ", " ")
    return text.replace(again, " ").replace(f" {code} ", " ")


def _tokens(text: str) -> frozenset[str]:
    """The codes that are only one provider's. Each is looked for where its sign is there: most
    replies have none of them."""
    found: list[str] = []
    if "[" in text or "(" in text:
        found += _BRACKETED.findall(text)
    if "-00" in text:
        found += _HOTMAIL.findall(text)
    if "ofr" in text or "lpn" in text or "ouk" in text:
        found += [f"_{digits}" for digits in _FRENCH.findall(text)]
    if "sfr_in_" in text:
        found += [f"sfr_in_{digits}" for digits in _SFR.findall(text)]
    if "c=" in text:
        found += [f"c={case}" for case in _CASE.findall(text)]
    if "00" in text:
        found += _COMCAST.findall(text)
    return frozenset(found) if found else _NONE


_NONE: frozenset[str] = frozenset()
