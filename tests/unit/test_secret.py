"""No secret is shown, in whatever form it is written."""

from pathlib import Path

import msgspec
import pytest

from settings.environment import variable_paths
from settings.load import SettingsError, describe, load
from settings.model import Settings
from settings.secret import SECRETS, URLS, masked

SECRET = "Geheim9Wort"
SPELT = ("Geheim9Wort", "Gehei%6D9Wort", "%47%65%68%65%69%6d9Wort", "Geheim9:Wo%72t")
FORMS = (
    "redis://:{}@h:6379/0", "redis://u:{}@h:6379/0", "redis://{}@h", "rediss://u:{}@[2001:db8::1]:1/0",
    "redis://h?password={}", "redis://h:6379/0?db=1&password={}", "redis://h?PASSWORD={}",
    "redis://h?pass%77ord={}", "redis://h?x={}", "redis://h?{}", "redis://h?{}=1", "redis://h?db=1;password={}",
    "rediss://h/0?ssl_password={}&ssl_certfile=/c.pem", "unix://u:{}@/run/v.sock?db=0",
    "unix:///run/v.sock?password={}", "redis://h?password=a@{}", "redis://:{}/0@h", "redis://:a/{}@h",
    "redis://:a#{}@h", "redis://h#{}", "redis://:a?{}@h", "redis://u:{}", "redis://:{}",
    "redis:{}", "{}",
    "postgresql://u:{}@h/db", "postgresql://u:{}@h1:1,h2:2/db?sslmode=require",
    "postgresql:///db?host=/run/pg&user=u&password={}", "postgresql://h/db?sslpassword={}",
    "postgresql://h/db?options=-c%20app.secret%3D{}", "postgresql://u@h/db?application_name=x&pasword={}",
    "host=h user=u password={}", "postgres://u:{}@%2Frun%2Fpg/db", "postgresql+asyncpg://u:{}@h/db",
    "http://u:{}@pmta:8080/command", "http://pmta:8080/command?api_key={}", "://{}", "//u:{}@h", "a b://{}",
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_url_is_shown_without_its_secret(form: str) -> None:
    for spelt in SPELT:
        shown = masked(form.format(spelt))
        for part in ("Gehei", "9Wort", "%6D", "%47", "Wo%72t"):
            assert part not in shown, (spelt, shown)


def test_what_an_operator_needs_of_a_url_is_shown() -> None:
    for url, shown in {
        "redis://127.0.0.1:6379/0": "redis://127.0.0.1:6379/0",
        "redis://:x@h:6379/0": "redis://***@h:6379/0",
        "unix:///run/v.sock?db=1": "unix:///run/v.sock?db=1",
        "rediss://h/0?ssl_ca_certs=/ca.pem&password=x": "rediss://h/0?ssl_ca_certs=/ca.pem&password=***",
        "postgresql://u:x@h1:1,[::1]:2/db?sslmode=verify-full&passfile=/p": (
            "postgresql://***@h1:1,[::1]:2/db?sslmode=verify-full&passfile=/p"
        ),
        "postgresql:///db?host=/run/pg&password=x": "postgresql:///db?host=/run/pg&password=***",
        "": "",
    }.items():  # fmt: skip
        assert masked(url) == shown


NOT_SECRET = {"gateway.key", "control.key", "control.pmta_keys", "people.key"}
"""A file's and a folder's name, and a number of seconds."""
PUBLIC = {"relay.login", "alerts.mail_login"}


def test_every_setting_that_can_hold_a_secret_is_masked() -> None:
    suspicious = ("password", "secret", "key", "token", "url", "login", "credential")
    fields = {
        f"{section.name}.{field.name}"
        for section in msgspec.structs.fields(Settings)
        for field in msgspec.structs.fields(section.type)
        if any(word.rstrip("s") in suspicious for word in field.name.split("_"))
    }
    assert fields == SECRETS | URLS | NOT_SECRET | PUBLIC


VALUES = {
    "SENDGATE_LEDGER_URL": f"redis://h:1?username=u&password={SECRET}",
    "REDIS_URL": f"unix://u:{SECRET}@/run/v.sock",
    "SENDGATE_DATABASE_URL": f"postgresql:///db?user=u&password={SECRET}&sslpassword={SECRET}",
    "DATABASE_URL": f"postgresql+asyncpg://u:{SECRET}@h1,h2/db",
    "SENDGATE_RELAY_PASSWORD": SECRET,
    "SENDGATE_HOLD_KEYS": f"a:{SECRET * 3}0123456789=,b:{SECRET * 3}abcdefghij=",
    "SENDGATE_CONTROL_SECRET": f"{SECRET * 3}0123456789=",
    "SENDGATE_CONTROL_SECRETS_BEFORE": f"{SECRET * 3}0123456789=",
    "SENDGATE_CONTROL_PMTA_API_KEY": SECRET * 4,
    "SENDGATE_ACCOUNTING_WEBHOOK_KEY": SECRET * 4,
    "SENDGATE_ACCOUNTING_WEBHOOK_KEYS_BEFORE": SECRET * 4,
    "SENDGATE_LOG_KEY": SECRET * 4,
    "SENDGATE_CONTROL_PMTA_RELOAD_URL": f"http://u:{SECRET}@pmta:8080/command",
    "SENDGATE_ALERTS_TELEGRAM_URL": f"http://u:{SECRET}@bots:8081",
    "SENDGATE_PEOPLE_URL": f"https://u:{SECRET}@gate.example",
    "SENDGATE_ALERTS_TELEGRAM_TOKEN": f"4711:{SECRET}",
    "TELEGRAM_BOT_TOKEN": f"4711:{SECRET}",
    "SENDGATE_ALERTS_WEBHOOK_URL": f"https://hooks.example/{SECRET}",
    "SENDGATE_ALERTS_WEBHOOK_KEY": SECRET * 4,
    "SENDGATE_ALERTS_MAIL_PASSWORD": SECRET,
}


def newest_of(variable: str) -> dict[str, str]:
    """What has to stand beside a variable of former values."""
    newest = variable.replace("SECRETS", "SECRET").replace("KEYS", "KEY")
    return {newest.removesuffix("_BEFORE"): "k" * 43 + "="}


@pytest.mark.parametrize("variable", VALUES)
def test_the_settings_are_shown_without_it(variable: str) -> None:
    beside = {"SENDGATE_RELAY_LOGIN": "gate"}
    if "TOKEN" in variable:
        beside["TELEGRAM_CHAT_ID"] = "-100"
    if variable.endswith("_BEFORE"):
        beside |= newest_of(variable)
    settings = load(None, {variable: VALUES[variable], **beside})
    assert SECRET in str(msgspec.to_builtins(settings))
    assert SECRET not in str(describe(settings))


def test_no_variable_for_a_secret_is_left_out() -> None:
    paths: dict[str, tuple[str, ...]] = variable_paths()
    holding = {name for name, path in paths.items() if ".".join(path) in SECRETS | URLS}
    assert holding == set(VALUES)


UNUSABLE = (
    SECRET + "é", SECRET, f"x://:{SECRET}@h", f"redis://:{SECRET}", f"redis://:a/{SECRET}@h",
    f"redis://h:{SECRET}/0", f"redis://h/{SECRET}", f"redis://h?x={SECRET}", f"redis://h?{SECRET}",
    f"postgresql://u:{SECRET}", f"postgresql://h/db?x={SECRET}", f"postgresql://u:?{SECRET}@h/db",
    f"http://[{SECRET}]", f"{SECRET}:{SECRET}", f"http://u:{SECRET}/command", f"http://{SECRET}:x/",
)  # fmt: skip


@pytest.mark.parametrize("variable", [*VALUES, "SENDGATE_LEDGER_TIMEOUT"])
def test_a_value_that_cannot_be_used_is_refused_without_it(variable: str, tmp_path: Path) -> None:
    for value in UNUSABLE:
        assert SECRET not in refusal(None, {variable: value, "SENDGATE_RELAY_LOGIN": "gate"}), value
    file = tmp_path / "sendgate.toml"
    for text in (
        f"[relay]\npassword = {SECRET}",
        f'[relay]\npassword = "{SECRET}',
        f"relay.{SECRET!r}",
    ):
        file.write_text(text, encoding="utf-8")
        said = refusal(file, {})
        assert said
        assert SECRET not in said


def refusal(file: Path | None, environ: dict[str, str]) -> str:
    """What is said of settings that cannot be used; empty when they can."""
    try:
        load(file, environ)
    except SettingsError as error:
        return str(error)
    return ""
