"""What `pmta --json show vmtas` and `show queues` say. Pure.

No public page has their form as JSON, so it is read by what names hold, as in `control.pmta.told`:
a VirtualMTA is a text that is its name; a queue is an object whose name is `DOMAIN/VMTA`, or a
number under such a name. Names are the same in either case (guide, 3.3.12).
Rule: what cannot be read is unknown, and never 0 or "not paused".
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

_WORD = re.compile(r"[^\s,;:\"'{}\[\]()]+")
_KIND = re.compile(r"(?i)mta|pool")
_NAME = re.compile(r"(?i)name|mta|pool")
_QUEUE = re.compile(r"([^\s/]+)/([^\s/]+)")
_TRUE = {"1", "true", "yes", "paused"}


class Queue(NamedTuple):
    """One queue."""

    domain: str
    vmta: str
    """In lower case."""
    recipients: int | None
    """None: it does not say."""
    paused: bool


def lacking(answer: Any, names: Iterable[str]) -> list[str]:
    """Those of `names` that `show vmtas` does not name."""
    if isinstance(answer, str):
        shown = {word.lower() for word in _WORD.findall(answer)}
    else:
        shown = {text.strip().lower() for text in _texts(answer)}
    return [name for name in names if name.lower() not in shown]


def queues(answer: Any) -> list[Queue] | None:
    """All that `show queues` names; None: it cannot be read, or not all of it."""
    found = _container(answer)
    if isinstance(found, dict):
        entries: list[tuple[str, Any]] = list(found.items())
    elif isinstance(found, list):
        entries = [("", entry) for entry in found]
    else:
        return None
    read = [_queue(name, entry) for name, entry in entries]
    return None if None in read else [queue for queue in read if queue is not None]


def counted(found: list[Queue], vmtas: Iterable[str]) -> dict[str, int]:
    """VirtualMTA to recipients in all of its queues; one of which a queue does not say how many is
    left out."""
    counts: dict[str, int] = {}
    for vmta in vmtas:
        of_it = [queue.recipients for queue in found if queue.vmta == vmta.lower()]
        if None not in of_it:
            counts[vmta] = sum(number for number in of_it if number is not None)
    return counts


def paused(found: list[Queue], names: Iterable[str]) -> list[str]:
    """A sentence for each VirtualMTA that has paused queues."""
    sentences = []
    for name in names:
        domains = [q.domain for q in found if q.paused and q.vmta == name.lower()]
        if domains:
            more = f" and {len(domains) - 3} more" if len(domains) > 3 else ""
            sentences.append(
                f"VirtualMTA {name} is paused by hand for {', '.join(domains[:3])}{more}"
            )
    return sentences


def _container(answer: Any) -> Any:
    """The list or object of queues."""
    if isinstance(answer, list):
        return answer
    if not isinstance(answer, dict):
        return None
    for name, value in answer.items():
        if "queue" in str(name).lower() and isinstance(value, list | dict):
            # One queue may stand there by itself, without its list.
            return [value] if isinstance(value, dict) and _named(value) else _inner(value)
    if isinstance(answer.get("data"), list | dict):
        return _container(answer["data"])
    return answer if any(_QUEUE.fullmatch(str(name)) for name in answer) else None


def _inner(value: Any) -> Any:
    """What lies in `{"queues": {"queue": […]}}`."""
    if isinstance(value, dict) and len(value) == 1:
        name, inner = next(iter(value.items()))
        if "queue" in str(name).lower() and isinstance(inner, list | dict):
            return [inner] if isinstance(inner, dict) and _named(inner) else inner
    return value


def _named(entry: dict[str, Any]) -> str:
    """Its `DOMAIN/VMTA`; empty: it has none."""
    for name, value in entry.items():
        text = str(value).strip()
        if ("name" in str(name).lower() or "queue" in str(name).lower()) and _QUEUE.fullmatch(text):
            return text
    return ""


def _queue(name: str, entry: Any) -> Queue | None:
    if isinstance(entry, dict):
        name = _named(entry) or name
    match = _QUEUE.fullmatch(name.strip())
    if match is None:
        return None
    fields = entry if isinstance(entry, dict) else {"rcp": entry}
    return Queue(match[1], match[2].lower(), _recipients(fields), _is_paused(fields))


def _recipients(fields: dict[str, Any]) -> int | None:
    # `rcp` is what `show status` calls them.
    for wanted in ("rcp", "rcpt", "recipients"):
        for name, value in fields.items():
            if str(name).lower() == wanted:
                return _number(value)
    named = [value for name, value in fields.items() if "rcp" in str(name).lower()]
    return _number(named[0]) if len(named) == 1 else None


def _number(value: Any) -> int | None:
    text = str(value).replace(",", "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _is_paused(fields: dict[str, Any]) -> bool:
    return any(
        str(value).strip().lower() in _TRUE
        if "paus" in str(name).lower()
        else str(name).lower() in ("mode", "state", "status") and "paus" in str(value).lower()
        for name, value in fields.items()
    )


def _texts(answer: Any, under: str = "") -> Iterator[str]:
    """What may be a name: texts under `name`, `…mta…` or `…pool…`, names of what lies there; and a
    list of texts that is all of the answer, in its envelope or not."""
    if isinstance(answer, dict) and isinstance(answer.get("data"), list) and not under:
        yield from _texts(answer["data"])
        return
    if isinstance(answer, dict):
        for name, value in answer.items():
            if _KIND.search(under):
                yield str(name)
            yield from _texts(value, str(name))
    elif isinstance(answer, list):
        for value in answer:
            yield from _texts(value, under)
    elif isinstance(answer, str) and (not under or _NAME.search(under)):
        yield answer
