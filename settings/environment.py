"""Which environment variables act, and what became of those of older stacks.

Every field of the file has a variable: `[gateway] workers` is SENDGATE_GATEWAY_WORKERS.
Names users already know act too. Unknown variables are never errors: an environment is shared.
"""

import difflib
from collections.abc import Mapping
from typing import Any

import msgspec

from settings.model import Settings
from settings.secret import SECRETS, URLS

PREFIX = "SENDGATE_"

ALIASES: dict[str, tuple[str, ...]] = {
    "REDIS_URL": ("ledger", "url"),
    "DATABASE_URL": ("database", "url"),
    "TELEGRAM_BOT_TOKEN": ("alerts", "telegram_token"),
    "TELEGRAM_CHAT_ID": ("alerts", "telegram_chat"),
    "WARMUP_GLOBAL_HOURLY_LIMIT": ("warmup", "global_hourly_limit"),
    "WARMUP_GLOBAL_MINUTE_LIMIT": ("warmup", "global_minute_limit"),
    "WARMUP_USER_HOURLY_LIMIT": ("warmup", "user_hourly_limit"),
    "WARMUP_MIN_DAILY_QUOTA": ("warmup", "min_daily_quota"),
    "WARMUP_STAGGER_MIN_MS": ("warmup", "stagger_min_ms"),
    "WARMUP_STAGGER_MAX_MS": ("warmup", "stagger_max_ms"),
    "WARMUP_BATCH_SIZE": ("hold", "claim"),
    "WARMUP_MAX_CONCURRENT": ("hold", "concurrent"),
    "WARMUP_MAX_BOUNCE_RATE": ("warmup", "max_bounce_rate"),
    "WARMUP_MAX_SPAM_RATE": ("warmup", "max_spam_rate"),
}

OTHERS = tuple(
    f"{PREFIX}{name}" for name in ("CONFIG", "DOTENV", "URL", "TOKEN", "DATA_DIR", "COMPILE")
)
"""What processes, commands and the build read beside the settings."""

WEEK_QUOTAS = tuple(f"WARMUP_WEEK{n}_QUOTA" for n in range(1, 7))

DELAY = "WARMUP_BATCH_DELAY_MS"
"""`hold.claim_delay`, in milliseconds."""

RETENTION = "WARMUP_METRICS_RETENTION_DAYS"
"""`statistics.detail_kept`, in days."""

WITHOUT_EFFECT: dict[str, str] = {
    "CELERY_BROKER_URL": "there is no task queue; jobs run inside `sendgate control`",
    "CELERY_RESULT_BACKEND": "there is no task queue; jobs run inside `sendgate control`",
    "CELERY_WORKER_CONCURRENCY": "gateway.workers",
    "WARMUP_WORKER_ID": "workers name themselves",
    "WARMUP_WORKER_COUNT": "gateway.workers take mail, hold.releasers release what waits",
    "WARMUP_DISTRIBUTED_MODE": "it always is: limits hold over all processes and nodes",
    "WARMUP_CRON_INTERVAL_MINUTES": "nothing waits for a cron job: held mail is looked at every "
    "hold.poll, warm-up when a day has ended and when accounting arrives; `sendgate job list`",
    "WARMUP_ENABLE_DETAILED_METRICS": "/metrics of gateways and control always has them; "
    "statistics.detail_kept says how long `sendgate stats` does",
    "DIRECT_URL": "migrations use database.url (DATABASE_URL) as well",
}


def variable_paths() -> dict[str, tuple[str, ...]]:
    """Variable name to the path of the field it sets. Lists of tables have no variables."""
    paths: dict[str, tuple[str, ...]] = {}
    for section in msgspec.structs.fields(Settings):
        for field in msgspec.structs.fields(section.type):
            name = f"{PREFIX}{section.name}_{field.name}".upper()
            paths[name] = (section.name, field.name)
    del paths["SENDGATE_GATEWAY_LISTENERS"]
    return {**paths, **ALIASES}


def file_variables() -> dict[str, str]:
    """`NAME_FILE` to the field it gives, for each variable whose value is secret."""
    fields = {name: ".".join(path) for name, path in variable_paths().items()}
    return {f"{name}_FILE": field for name, field in fields.items() if field in SECRETS | URLS}


def from_environment(
    environ: Mapping[str, str],
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """(values by section and field, field path to the variable it came from).

    SENDGATE_ names win over the older ones. A comma-separated value fills a list."""
    values: dict[str, dict[str, Any]] = {}
    origin: dict[str, str] = {}
    ordered = sorted(variable_paths().items(), key=lambda pair: pair[0].startswith(PREFIX))
    for variable, path in ordered:
        if variable in environ:
            section, field = path
            values.setdefault(section, {})[field] = environ[variable]
            origin[f"{section}.{field}"] = variable
    return values, origin


def misspelt(environ: Mapping[str, str]) -> list[str]:
    """A sentence for each variable that looks like ours and is none, with the nearest that is."""
    known = {*variable_paths(), *file_variables(), *WEEK_QUOTAS, RETENTION, DELAY, *OTHERS}
    found = []
    for name in environ:
        if not name.startswith((PREFIX, "WARMUP_")) or name in known or name in WITHOUT_EFFECT:
            continue
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
        found.append(f"{name}: no such setting{f'; is it {nearest[0]}?' if nearest else ''}")
    return found


def without_effect(environ: Mapping[str, str]) -> list[str]:
    """A sentence for each variable of an older stack that is set and does nothing here."""
    found = [f"{name}: {why}" for name, why in WITHOUT_EFFECT.items() if name in environ]
    return found + [
        f"{name}: there is no task queue; jobs run inside `sendgate control`"
        for name in environ
        if name.startswith("CELERY_") and name not in WITHOUT_EFFECT
    ]
