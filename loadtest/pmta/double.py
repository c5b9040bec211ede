"""A double of PowerMTA's command: `pmta [--xml|--dom|--json] COMMAND`, strict.

Source: PowerMTA 5.0 User's Guide, `pmta` commands. What the real one refuses is refused: a word
too many or too few, a command nobody documents, `test config` with a file's name. A reload of a bad
file fails and leaves what runs as it is.
How `show license`, `version`, `vmtas` and `queues` look as JSON no public page says; the shapes
here are ours.

The folder $PMTA_DOUBLE has what it stands on: `config` (as /etc/pmta/config, with what it
includes), `running` (the text that was loaded last, whole), `licence.json` and `status.json` (what
it answers), `answers.json` (command to another answer), `queued.json` (recipients by queue),
`queues` (paused ones), `down` (PowerMTA does not run).
What goes wrong: `refused.json` (command to what it says instead of doing it), and `gates.json`
(commands, each behind `before ` or `after `): it writes the gate's name to `at`, and hangs until
the gate is not in there any more. `log` has each command that was understood.
"""

import json
import os
import re
import sys
import threading
from pathlib import Path
from typing import Any

from loadtest.pmta.answers import LICENCE, VERSION
from loadtest.pmta.config import load
from loadtest.pmta.grammar import Block, ConfigError, parse, whole

STATUS = {
    "traffic": {
        name: {way: {"rcp": 0, "msg": 0, "kb": 0} for way in ("in", "out")}
        for name in ("total", "lastHr", "lastMin", "topPerHr", "topPerMin")
    },
    "conn": {
        "smtpIn": {"cur": 0, "max": 100, "top": 0},
        "smtpOut": {"cur": 0, "max": 1200, "top": 0},
    },
    "queue": {"smtp": {"rcp": 0, "dom": 0, "kb": 0}},
    "spool": {"totalRcp": 0, "maxRcp": 500000},
}

_LOOK = 0.02
"""Seconds between two looks whether a gate has been opened."""

_QUEUE = r"[A-Za-z0-9.\-\[\]*]+(?:/[A-Za-z0-9._\-]+)?"
_FILTERS = r"(?: --(?:queue|jobId|envId|rcpt|orig|older-than)=\S+)+"
_KNOWN = (
    "reload",
    "test config",
    r"show (?:status|vmtas|queues|jobs|topqueues|topdomains|domains|disabled sources)",
    "show (?:version|license)",
    r"show (?:vmta-settings|settings) \S+",
    rf"(?:pause|resume) queue {_QUEUE}",
    r"(?:pause|resume) job \S+",
    rf"disable source(?: --reenable-after=\w+)? [0-9a-f.:]+ {_QUEUE}",
    rf"enable source [0-9a-f.:]+ {_QUEUE}",
    rf"set queue --mode=(?:normal|backoff) {_QUEUE}",
    rf"set priority -?\d+ {_QUEUE}",
    rf"schedule(?: --retry-recipients)? {_QUEUE}",
    rf"delete{_FILTERS}(?: --no-accounting| --dsn)*",
    rf"list{_FILTERS}",
    "rotate (?:acct|log)",
    r"(?:check mfrom|check spf|resolve|trace) \S+(?: \S+)*",
    "reset counters",
)


class CommandError(Exception):
    """It is refused; the text is what the operator reads."""


def main(arguments: list[str], folder: Path) -> int:
    """The exit code: 0 done, 1 refused."""
    formats = [word for word in arguments if word in ("--xml", "--dom", "--json")]
    words = arguments[1:] if formats and arguments[0] == formats[0] else arguments
    command = " ".join(words)
    try:
        if len(formats) > 1 or (formats and arguments[0] != formats[0]):
            raise CommandError("usage: pmta [--xml|--dom|--json] COMMAND")
        if not any(re.fullmatch(known, command) for known in _KNOWN):
            raise CommandError(f"unknown command or wrong arguments: {command!r}")
        with (folder / "log").open("a") as log:
            log.write(command + "\n")
        _gate(f"before {command}", folder)
        found = _run(command, folder)
        _gate(f"after {command}", folder)
    except CommandError as error:
        # Plain text, whatever format was asked for.
        print(error)
        return 1
    if formats == ["--json"]:
        print(json.dumps({"status": "success", "data": found}))
    else:
        print(found if isinstance(found, str) else json.dumps(found, indent=2))
    return 0


def restart(folder: Path) -> str:
    """PowerMTA is restarted: the whole text that runs then. Raises CommandError where it does not
    start, for the configuration that lies there is bad."""
    (folder / "down").write_text("")
    text = _loadable(folder)
    (folder / "running").write_text(text)
    (folder / "down").unlink()
    return text


def _run(command: str, folder: Path) -> object:
    if (folder / "down").exists():
        raise CommandError("cannot connect to PowerMTA: is it running?")
    if said := _kept(folder / "refused.json", {}).get(command):
        raise CommandError(said)
    if command in (answers := _kept(folder / "answers.json", {})):
        return answers[command]
    if command in ("test config", "reload"):
        text = _loadable(folder)
        if command == "reload":
            (folder / "running").write_text(text)
        return "Configuration OK." if command == "test config" else "Configuration reloaded."
    if command == "show license":
        return _kept(folder / "licence.json", LICENCE)
    if command == "show version":
        return VERSION
    if command == "show status":
        return {"status": _kept(folder / "status.json", STATUS)}
    if command == "show vmtas":
        found = load(folder / "running")
        return {"vmta": sorted([*found.virtual_mtas, *found.pools])}
    paused = set(_kept(folder / "queues", ()))
    if command == "show queues":
        queued = _kept(folder / "queued.json", {})
        return {
            "queue": [
                {"name": name, "rcp": queued.get(name, 0), "paused": name in paused}
                for name in sorted({*queued, *paused})
            ]
        }
    if match := re.fullmatch(r"(pause|resume) queue (\S+)", command):
        paused = paused | {match[2]} if match[1] == "pause" else paused - {match[2]}
        (folder / "queues").write_text(json.dumps(sorted(paused)))
    return f"{command}: done"


def _loadable(folder: Path) -> str:
    """The configuration as it lies there, whole. Raises CommandError."""
    config = folder / "config"
    if not config.exists():
        return ""
    try:
        load(config)
        _check_keys(parse(config))
        return whole(config)
    except (ConfigError, OSError, UnicodeDecodeError) as error:
        raise CommandError(str(error)) from error


def _check_keys(block: Block) -> None:
    for directive in block.all("domain-key"):
        file = Path(directive.text.rpartition(",")[2].strip().strip('"'))
        if not file.is_file():
            raise ConfigError(directive.at, f"cannot read {file}: it is not there")
    for inner in block.blocks:
        _check_keys(inner)


def _gate(name: str, folder: Path) -> None:
    """Hang there until it is opened."""
    while name in _kept(folder / "gates.json", ()):
        (folder / "at").write_text(name)
        threading.Event().wait(_LOOK)


def _kept(file: Path, otherwise: Any) -> Any:
    return json.loads(file.read_text()) if file.exists() else otherwise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(os.environ["PMTA_DOUBLE"])))
