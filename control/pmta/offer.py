"""What control and an agent say to one another of PowerMTA's configuration. Pure.

Control offers a version; the agent brings it into force, or leaves everything as it was, and says
which one runs. Rule: what runs is one version whole; files that were changed by hand are left alone
unless the offer says otherwise.
"""

from typing import Literal

import msgspec

OFFER = "/api/v2/powermta/agent/configuration"
"""GET with `server` and `agent`; `If-None-Match` holds the `ETag` of the offer that was looked at
last, octet for octet as it came (one version may be offered anew, to be tried again), and the
answer waits for another one (`wait`, seconds). 304: there is none. `look=1`: whoever asks only
looks, and is no agent that would bring it into force."""
APPLIED = "/api/v2/powermta/agent/applied"
"""POST `Applied`, answered with `Asked`: after each attempt, when something changed, and each
minute."""

FOLDER = "{folder}"
"""Stands in `Offer.files` for the folder in which that version's files lie (`include
{folder}/NAME`): the agent knows it and writes it there. Each version has a folder of its own, so
that whoever reads the first file reads all others of the same version."""
KEYS = "{keys}"
"""The same for its key files (`domain-key SELECTOR,DOMAIN,{keys}/NAME`)."""

Step = Literal["", "write", "test", "reload", "verify"]
"""How far an attempt came; empty: it came to its end."""
State = Literal["none", "running", "failed", "changed"]
"""`none`: nothing of ours is there. `running`: the offered version. `failed`: the offered one was
not taken and the one before is in force. `changed`: files were changed by hand, nothing is done."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One server's version."""

    version: int
    digest: str
    """`FileSet.digest` of `files`."""
    files: dict[str, str]
    """By name; `fileset.MAIN` is the one that PowerMTA's own configuration includes."""
    keys: dict[str, str] = {}
    """DKIM key files by name, PEM; the version's own, as its files are. Those that went are deleted
    with the version they were in."""
    known: list[str] = []
    """VirtualMTAs that PowerMTA shows when the version runs (`show vmtas`)."""
    overwrite: bool = False
    """Whether files that were changed by hand may be written over: somebody asked for it."""


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent says of its server."""

    agent: str
    server: str
    state: State
    running: int = 0
    """The version in force, 0: none of ours or unknown."""
    digest: str = ""
    """Of the files that lie there now."""
    tried: int = 0
    """The version tried last."""
    step: Step = ""
    """Where that attempt ended, when it failed."""
    problem: str = ""
    """Why, in PowerMTA's or the system's words."""
    drift: list[str] = []
    """What is not as it was written, each a sentence: files changed by hand, missing or too many, a
    VirtualMTA that PowerMTA does not show, one paused by hand."""
    queued: dict[str, int] = {}
    """VirtualMTA to recipients queued, of those last `Asked` for; one whose number PowerMTA does
    not say is left out."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `Applied`."""

    queues: list[str] = []
    """VirtualMTAs that do not send, and whose queues are to be counted from now on (`show
    queues`): somebody may wait for them to be empty."""
