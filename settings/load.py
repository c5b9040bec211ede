"""Reads the configuration: file, then `.env`, environment and secrets' files; all errors at once.

Rule: an unknown key in the file is an error (a typo must not silently keep a default), an
unknown environment variable never is. Nothing starts with a half-read configuration.
"""

import enum
import os
import re
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from settings.contradictions import contradictions
from settings.databaseurl import read as read_database_url
from settings.environment import DELAY, RETENTION, WEEK_QUOTAS, from_environment
from settings.model import Settings
from settings.secret import MASK, SECRETS, URLS, masked
from settings.secretfile import from_files

PATTERNS = {
    "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": "1 to 64 letters, digits, dots, dashes or underscores, "
    "beginning with a letter or digit",
    "^[a-z0-9-]{1,32}$": "1 to 32 lower-case letters, digits or dashes",
}
"""What the regular expressions of names mean."""
_REGEX = re.compile(r"matching regex '([^']*)'")
_ENUM = re.compile(r"Invalid enum value (.*?)( - at `.*`)?$", re.DOTALL)
_ITEM = re.compile(r" - at `\$\[(\d+)\]`$")
DEFAULT_FILE = Path("/etc/sendgate/sendgate.toml")


class SettingsError(Exception):
    """The configuration cannot be used; `problems` has every reason, each naming its field."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The effective settings.

    `path` None takes SENDGATE_CONFIG, else /etc/sendgate/sendgate.toml if it exists, else
    defaults alone. Raises SettingsError."""
    env = with_dotenv(os.environ if environ is None else environ)
    given = path or (Path(env["SENDGATE_CONFIG"]) if env.get("SENDGATE_CONFIG") else None)
    problems: list[str] = []
    tree: dict[str, Any] = {}
    if given is not None or DEFAULT_FILE.exists():
        tree = _read(given or DEFAULT_FILE, problems)
    overrides, origin = from_environment(env)
    from_files(env, overrides, origin, problems)
    _weeks(env, tree, overrides, origin)
    _in_another_unit(env, overrides, origin, problems)
    _database_url(tree, overrides, origin, problems)
    values: dict[str, Any] = {}
    for section in msgspec.structs.fields(Settings):
        table = tree.pop(section.name, {})
        if not isinstance(table, dict):
            problems.append(f"{section.name}: expected a table, as in [{section.name}]")
            continue
        merged = {**table, **overrides.get(section.name, {})}
        values[section.name] = _struct(section.type, merged, section.name, origin, problems)
    problems += [f"{key}: no such section" for key in tree]
    if not problems:
        problems += contradictions(Settings(**values))
    if problems:
        raise SettingsError(problems)
    return Settings(**values)


def describe(settings: Settings) -> dict[str, Any]:
    """The effective settings as plain values, secrets masked."""
    plain: dict[str, Any] = msgspec.to_builtins(settings)
    for path in SECRETS:
        section, field = path.split(".")
        value = plain[section][field]
        plain[section][field] = (
            [MASK] * len(value) if isinstance(value, list | tuple) else (MASK if value else "")
        )
    for path in URLS:
        section, field = path.split(".")
        plain[section][field] = masked(plain[section][field])
    return plain


def _read(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{path}: {error.strerror}")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{path}: {error}")
    return {}


def _struct(
    kind: Any, table: dict[str, Any], at: str, origin: dict[str, str], problems: list[str]
) -> Any:
    """One table as struct `kind`; problems are collected, field by field."""
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    for key, raw in table.items():
        where = f"{at}.{key}"
        if key not in fields:
            problems.append(f"{where}: no such setting")
            continue
        wanted = fields[key].type
        row = _row_type(wanted)
        if row is not None and isinstance(raw, list):
            rows = [
                _struct(row, entry, f"{where}[{i}]", origin, problems)
                for i, entry in enumerate(raw)
                if isinstance(entry, dict)
            ]
            values[key] = tuple(rows)
            continue
        try:
            values[key] = msgspec.convert(
                _split(raw, wanted, where in origin), wanted, strict=where not in origin
            )
        except msgspec.ValidationError as error:
            problems.append(f"{_shown(where, origin, error)}: {_said(where, error, wanted, raw)}")
    try:
        return kind(**values)
    except TypeError as error:
        problems.append(f"{at}: {error}")
        return None


def _shown(where: str, origin: dict[str, str], error: msgspec.ValidationError) -> str:
    """The field, and the variable it was read from: an entry of a list may have its own."""
    item = _ITEM.search(str(error))
    variable = (origin.get(f"{where}[{item[1]}]") if item else None) or origin.get(where)
    return f"{where} (from {variable})" if variable else where


def _said(where: str, error: msgspec.ValidationError, wanted: Any, raw: Any) -> str:
    text = friendly(str(error), wanted)
    if item := _ITEM.search(text):
        entries = _split(raw, wanted, from_env=isinstance(raw, str))
        # What is secret is not shown, right or wrong.
        entry = "" if where in SECRETS else f" ({entries[int(item[1])]!r})"
        text = f"{text[: item.start()]}: entry {int(item[1]) + 1}{entry}"
    return f"{text[0].lower()}{text[1:]}"


def _choices(wanted: Any) -> list[str]:
    """The words of a Literal or an enumeration, also of one in a list or beside null."""
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        return [str(member.value) for member in wanted]
    arguments = typing.get_args(wanted)
    if typing.get_origin(wanted) is typing.Literal:
        return [str(one) for one in arguments]
    return [word for one in arguments for word in _choices(one)]


def friendly(text: str, wanted: Any) -> str:
    """A validation error of type `wanted` in words: regular expressions are for programs, and who
    meets a wrong word wants the right ones."""
    if (wrong := _ENUM.match(text)) and (choices := _choices(wanted)):
        return f"expected {' or '.join(choices)}, not {wrong[1]}{wrong[2] or ''}"
    found = _REGEX.search(text)
    if found is None or found[1] not in PATTERNS:
        return text
    return f"expected {PATTERNS[found[1]]}"


def _row_type(wanted: Any) -> Any:
    """The struct in `tuple[Struct, ...]`, for lists of tables."""
    arguments = typing.get_args(wanted)
    if arguments and isinstance(arguments[0], type) and issubclass(arguments[0], msgspec.Struct):
        return arguments[0]
    return None


def _split(raw: Any, wanted: Any, from_env: bool) -> Any:
    if not from_env or not isinstance(raw, str):
        return raw
    inner = typing.get_args(wanted)[0] if typing.get_origin(wanted) is typing.Annotated else wanted
    if typing.get_origin(inner) is tuple:
        return [part.strip() for part in raw.split(",") if part.strip()]
    if typing.get_origin(inner) is dict:
        return dict(part.strip().split("=", 1) for part in raw.split(",") if "=" in part)
    return raw


def _weeks(
    env: Mapping[str, str],
    tree: dict[str, Any],
    overrides: dict[str, dict[str, Any]],
    origin: dict[str, str],
) -> None:
    """WARMUP_WEEK1_QUOTA … replace single weeks of the plan."""
    if not any(name in env for name in WEEK_QUOTAS):
        return
    own = tree.get("warmup", {}).get("weeks") if isinstance(tree.get("warmup"), dict) else None
    weeks = list(own or Settings().warmup.weeks)
    for index, name in enumerate(WEEK_QUOTAS):
        if name in env:
            weeks += weeks[-1:] * (index + 1 - len(weeks))
            weeks[index] = env[name]
            origin["warmup.weeks"] = origin[f"warmup.weeks[{index}]"] = name
    overrides.setdefault("warmup", {})["weeks"] = weeks


def _in_another_unit(
    env: Mapping[str, str],
    overrides: dict[str, dict[str, Any]],
    origin: dict[str, str],
    problems: list[str],
) -> None:
    """WARMUP_METRICS_RETENTION_DAYS and WARMUP_BATCH_DELAY_MS; our own variables win over them."""
    for name, section, field, factor, unit in (
        (RETENTION, "statistics", "detail_kept", 86_400.0, "days"),
        (DELAY, "hold", "claim_delay", 0.001, "milliseconds"),
    ):
        own = overrides.setdefault(section, {})
        if name not in env or field in own:
            continue
        text = env[name].strip()
        if not (text.isascii() and text.isdigit() and len(text) < 6):
            problems.append(f"{section}.{field} (from {name}): {text!r} is no number of {unit}")
            continue
        own[field] = str(int(text) * factor)
        origin[f"{section}.{field}"] = name


def _database_url(
    tree: dict[str, Any],
    overrides: dict[str, dict[str, Any]],
    origin: dict[str, str],
    problems: list[str],
) -> None:
    """What the query of `database.url` says becomes settings; the rest is for asyncpg.

    `connection_limit` wins over the file, as the variable it mostly comes with does;
    SENDGATE_DATABASE_CONNECTIONS and SENDGATE_HOLD_CONNECTIONS win over it."""
    table = tree.get("database")
    own = overrides.setdefault("database", {})
    given = own.get("url", table.get("url") if isinstance(table, dict) else None)
    if not isinstance(given, str):
        return
    found = read_database_url(given)
    where = f" (from {origin['database.url']})" if "database.url" in origin else ""
    problems += [f"database.url{where}: {text}" for text in found.problems]
    own["url"] = found.url
    if found.connections is None:
        return
    own.setdefault("connections", found.connections)
    table = tree.get("hold")
    holding = table.get("connections") if isinstance(table, dict) else None
    if not isinstance(holding, int):
        holding = Settings().hold.connections
    # Two is the least a gateway process works with.
    overrides.setdefault("hold", {}).setdefault(
        "connections", min(holding, max(2, found.connections))
    )


def with_dotenv(environ: Mapping[str, str]) -> dict[str, str]:
    """`.env` of the working directory below the environment: NAME=value lines, # comments."""
    merged: dict[str, str] = {}
    file = Path(environ.get("SENDGATE_DOTENV", ".env"))
    if file.is_file():
        for line in file.read_text(encoding="utf-8").splitlines():
            name, sign, value = line.strip().partition("=")
            if sign and name and not name.startswith("#"):
                merged[name.removeprefix("export ").strip()] = value.strip().strip("'\"")
    return {**merged, **environ}
