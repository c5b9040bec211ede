"""The commands of PowerMTA's web interface (``POST /command``) the stand-in understands.

Source: PowerMTA 5.0 User's Guide, ``pmta`` commands. A reload of a bad file changes nothing, as
there: the running configuration stays.
"""

from collections.abc import Callable
from pathlib import Path

from loadtest.pmta.accounting import Accounting
from loadtest.pmta.answers import LICENCE, VERSION
from loadtest.pmta.config import Config, load
from loadtest.pmta.counts import Counts
from loadtest.pmta.delivery import Delivery
from loadtest.pmta.grammar import ConfigError
from loadtest.pmta.intake import Intake
from loadtest.pmta.routing import Routing


class CommandError(Exception):
    """The command was refused; the text is what PowerMTA's operator would read."""


def routing_from(path: Path | None, source_name: str) -> Routing:
    """The routing of configuration `path`; None = any VirtualMTA name exists.

    Raises ConfigError, OSError.
    """
    config = Config(open_names=True) if path is None else load(path)
    return Routing(config, source_name)


class Commands:
    """Runs one command; the answer is text or a JSON-ready value."""

    def __init__(
        self,
        config: Path | None,
        source_name: str,
        intake: Intake,
        delivery: Delivery,
        accounting: Accounting | None,
    ) -> None:
        self._config = config
        self._source_name = source_name
        self._intake = intake
        self._delivery = delivery
        self._accounting = accounting
        self._table: dict[str, Callable[[], object]] = {
            "reload": self._reload,
            "test config": self._test,
            "show status": self._status,
            "show version": lambda: VERSION,
            "show license": lambda: LICENCE,
            "show vmtas": self._vmtas,
            "show queues": self._delivery.queues,
            "rotate acct": self._rotate,
        }

    def run(self, command: str) -> object:
        """The answer to `command` (blanks and case do not count). Raises CommandError."""
        run = self._table.get(" ".join(command.lower().split()))
        if run is None:
            raise CommandError(f"unknown command '{command}'; known: {', '.join(self._table)}")
        return run()

    def _reload(self) -> str:
        self._intake.load(self._load())
        return "Configuration reloaded."

    def _test(self) -> str:
        self._load()
        return "Configuration OK."

    def _load(self) -> Routing:
        try:
            return routing_from(self._config, self._source_name)
        except (ConfigError, OSError, UnicodeDecodeError) as problem:
            raise CommandError(str(problem)) from problem

    def _status(self) -> dict[str, object]:
        counts: Counts = self._intake.counts
        traffic = {"rcp": counts.totals.recipients, "msg": counts.totals.messages}
        return {
            "status": {
                "traffic": {"total": {"in": traffic}},
                "queue": {"smtp": {"rcp": self._delivery.waiting}},
            }
        }

    def _vmtas(self) -> list[str]:
        return self._intake.routing.names()

    def _rotate(self) -> str:
        if self._accounting is None:
            raise CommandError("no accounting file; start with --accounting DIR")
        finished = self._accounting.rotate()
        return f"Rotated to {finished.name}." if finished else "Nothing to rotate."
