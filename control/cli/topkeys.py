"""Keys of `sendgate top`, and what each changes in what is shown: pure."""

from typing import get_args

import msgspec

from control.sources.ipview import State

SORTS = (
    *("used", "left", "quota", "held", "rate", "bounced", "deferred", "stage", "state"),
    *("ip", "tenant", "vmta"),
)
"""What `s` goes through; numbers first the largest."""
BY_NAME = ("ip", "tenant", "vmta", "state")
LONGEST = 60
"""Characters of a filter."""

HELP = (
    "q, Ctrl-C   leave                     /   only IPs with a text in address,",
    "s, S        sort by the next column,      VirtualMTA or tenant; Enter: take it",
    "            by the one before         f   only the next state, or all again",
    "r           turn the order round      c   no filter any more",
    "arrows, PgUp, PgDn, Home   scroll     ?   this, and back",
    "",
    "a second: mail of the last minute. left: what IPs with a limit may still send",
    "today. held: messages that wait for the IP's pools. rate/m: recipients a",
    "minute. bounce, defer: what PowerMTA told of today's mail.",
)

_NAMED = {
    "\x1b[A": "up",
    "\x1bOA": "up",
    "\x1b[B": "down",
    "\x1bOB": "down",
    "\x1b[5~": "pageup",
    "\x1b[6~": "pagedown",
    "\x1b[H": "home",
    "\x1bOH": "home",
    "\x1b[1~": "home",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "back",
    "\x08": "back",
    "\x15": "kill",
    "\x1b": "escape",
    "k": "k",
}


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked at."""

    sort: str = "-used"
    containing: str = ""
    tenant: str = ""
    state: str = ""
    limit: int | None = None
    """At most so many IPs; None: as the screen has room for."""
    offset: int = 0
    """IPs above the first one that is shown."""
    typing: str | None = None
    """A filter that is being typed; None: none is."""
    help: bool = False

    @property
    def filtered(self) -> bool:
        """Whether IPs are left out."""
        return bool(self.containing or self.tenant or self.state)


def named(text: str) -> list[str]:
    """The keys of what a terminal sent: characters, or names as `up`; sequences that nobody knows
    here are no keys. An escape at the end is the key."""
    found: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == "\x1b" and at + 1 < len(text) and text[at + 1] in "[O":
            end = at + 2
            while end < len(text) and not "\x40" <= text[end] <= "\x7e":
                end += 1
            key = _NAMED.get(text[at : end + 1], "")
            at = end + 1
        else:
            key = _NAMED.get(text[at], text[at] if text[at].isprintable() else "")
            at += 1
        if key:
            found.append(key)
    return found


def pressed(shown: Shown, key: str, page: int) -> Shown | None:
    """What is shown after a key; `page`: IPs of a screen; None: leave."""
    if shown.typing is not None:
        return _typed(shown, shown.typing, key)
    if key in ("q", "Q"):
        return None
    if shown.help:
        return msgspec.structs.replace(shown, help=False)
    steps = {"down": 1, "j": 1, "up": -1, "k": -1, "pagedown": page, "pageup": -page}
    changes: dict[str, object] = {}
    if key in steps:
        changes = {"offset": max(0, shown.offset + steps[key])}
    elif key == "home":
        changes = {"offset": 0}
    elif key == "?":
        changes = {"help": True}
    elif key == "/":
        changes = {"typing": shown.containing}
    elif key == "c":
        changes = {"containing": "", "state": "", "offset": 0}
    elif key in ("s", "S"):
        changes = {"sort": _next(shown.sort, 1 if key == "s" else -1), "offset": 0}
    elif key == "r":
        turned = shown.sort[1:] if shown.sort.startswith("-") else f"-{shown.sort}"
        changes = {"sort": turned, "offset": 0}
    elif key == "f":
        states = ("", *get_args(State))
        changes = {"state": states[(states.index(shown.state) + 1) % len(states)], "offset": 0}
    return msgspec.structs.replace(shown, **changes)


def _typed(shown: Shown, text: str, key: str) -> Shown:
    if key == "enter":
        return msgspec.structs.replace(shown, containing=text.strip(), typing=None, offset=0)
    if key == "escape":
        return msgspec.structs.replace(shown, typing=None)
    if key == "back":
        return msgspec.structs.replace(shown, typing=text[:-1])
    if key == "kill":
        return msgspec.structs.replace(shown, typing="")
    if len(key) == 1 and len(text) < LONGEST:
        return msgspec.structs.replace(shown, typing=text + key)
    return shown


def _next(sort: str, step: int) -> str:
    at = SORTS.index(sort.removeprefix("-"))
    name = SORTS[(at + step) % len(SORTS)]
    return name if name in BY_NAME else f"-{name}"
