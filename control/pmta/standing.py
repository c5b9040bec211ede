"""What each PowerMTA server runs, is to run, and what is wrong with that."""

from typing import Any

import msgspec

from control.pmta.offer import Applied
from control.problem import cut
from settings.statements import statements

_SQL = statements(__package__, "desired")


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One server with an agent that brings its configuration into force."""

    server: str
    agent: str
    heard: int
    """When the agent was heard of last, milliseconds of the machine's clock."""
    version: int = 0
    """It is to run this; 0: nothing was offered yet."""
    digest: str = ""
    offer: int = 0
    offered: int = 0
    """When, milliseconds of the machine's clock."""
    fetched: int = 0
    """The offer that the agent was given last."""
    said_of: int = 0
    """The same when it said what `said` has."""
    settled: int | None = None
    instead: str = ""
    """Why that is not what the rows say."""
    held: bool = False
    """It was put back by hand, and stays so."""
    alone: bool = False
    """There is no other server: commands need not name it."""
    said: Applied | None = None

    @property
    def runs(self) -> bool:
        """Whether it runs what it is to run, and nothing but that lies there, said when it had
        looked at the last offer."""
        return self.said_of >= self.offer and self.runs_version(self.version, self.digest)

    def runs_version(self, version: int, digest: str) -> bool:
        """Whether that version is in force, as the agent said last."""
        said = self.said
        if said is None or said.state != "running" or not version:
            return False
        return said.running == version and said.digest == digest

    def refused(self, offer: int) -> str:
        """What became of an offer that did not come into force; '': nothing is said of it yet."""
        said = self.said
        # What was said before it had the offer is of another one.
        if said is None or self.said_of < offer or self.fetched < offer:
            return ""
        if said.state == "changed" and said.tried == self.version:
            return self._changed(said)
        if said.state == "failed" and said.tried == self.version:
            return failed(self.server, said)
        return ""

    @property
    def apply(self) -> str:
        """The command that brings what the plan says into force there."""
        return "sendgate pmta apply" + ("" if self.alone else f" --server {self.server}")

    @property
    def by_hand(self) -> list[str]:
        """What was changed by hand there, as the agent said last."""
        return self.said.drift if self.said is not None and self.said.state == "changed" else []

    def _changed(self, said: Applied) -> str:
        """That files were changed by hand."""
        what = "; ".join(map(cut, said.drift[:3])) or "which, the agent does not say"
        return (
            f"PowerMTA's files on {self.server} were changed by hand ({what}): nothing is written "
            f"over them; `{self.apply} --overwrite` does"
        )

    def silent(self, now: int, bound: float) -> float:
        """Seconds for which nothing was heard, where they are more than `bound`; else 0."""
        age = (now - self.heard) / 1000
        return age if age > bound else 0.0

    def troubles(self, now: int, bound: float) -> list[str]:
        """Sentences. `now`: of the machine's clock."""
        found = []
        if age := self.silent(now, bound):
            found.append(
                f"the agent of {self.server} has not asked for its configuration for "
                f"{_time(age)}: changes that PowerMTA must know of are refused, and its second "
                "wall stays where it is: of a quota that goes up PowerMTA may hold mail back"
            )
        said = self.said
        if self.instead:
            until = f"; what changes waits there until `{self.apply}`" if self.held else ""
            what = f"{self.server} is not to run what the plan says: {self.instead}{until}"
            found.append(what)
        if said is None:
            return found
        if said.state == "changed":
            found.append(self._changed(said))
        else:
            found += [f"{self.server}: {text}" for text in said.drift]
            if said.state == "failed":
                found.append(failed(self.server, said))
        waits = self.version and not self.runs and now - self.offered > bound * 1000
        if said.state in ("none", "running") and waits and not said.drift:
            runs = f"version {said.running}" if said.running else "no version of ours"
            found.append(
                f"{self.server} runs {runs}; version {self.version}, which it is to run, was "
                f"offered {_time((now - self.offered) / 1000)} ago"
            )
        return found


class Wrong(msgspec.Struct, frozen=True):
    """What is wrong with a server's configuration."""

    server: str
    sentences: list[str]
    alone: bool = False
    """As `Standing.alone`."""


async def wrong(pool: Any, now: int, silent: float) -> list[Wrong]:
    """Servers with troubles. `now`: milliseconds of the machine's clock; `silent`: seconds
    (control.pmta_agent_silent)."""
    found = [(one, one.troubles(now, silent)) for one in await standings(pool)]
    return [Wrong(one.server, sentences, one.alone) for one, sentences in found if sentences]


def failed(server: str, said: Applied) -> str:
    """That a version was not taken, and why."""
    runs = f"version {said.running}" if said.running else "what was there before"
    return (
        f"{server} did not take version {said.tried} ({_STEPS.get(said.step, 'applying')}): "
        f"{said.problem or 'no reason was given'}; {runs} is in force"
    )


_STEPS = {
    "write": "writing its files",
    "test": "`pmta test config`",
    "reload": "`pmta reload`",
    "verify": "`pmta show vmtas` afterwards",
}


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds // 60:.0f} minutes"


async def standings(pool: Any, servers: list[str] | None = None) -> list[Standing]:
    """Of these servers (None: of all) that have an agent, by name."""
    found = []
    for row in await pool.fetch(_SQL["standing"], servers):
        body = row["body"]
        named = {name: row[name] for name in ("server", "agent", "heard", "fetched", "settled")}
        named |= {name: row[name] or 0 for name in ("version", "offer", "offered", "said_of")}
        named |= {name: row[name] or "" for name in ("digest", "instead")}
        said = None if body is None else msgspec.json.decode(body, type=Applied)
        held, alone = bool(row["held"]), bool(row["alone"])
        found.append(Standing(said=said, held=held, alone=alone, **named))
    return found
