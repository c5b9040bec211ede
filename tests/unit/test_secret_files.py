"""A secret comes by variable, by `NAME_FILE` or as a credential, and by one of them only."""

import os
from pathlib import Path

import pytest

from settings.environment import file_variables, misspelt, variable_paths
from settings.load import SettingsError, load
from settings.secret import SECRETS, URLS
from tests.unit.test_secret import VALUES, newest_of

SECRET = "Geheim9Wort"
NAME, FIELD = "SENDGATE_RELAY_PASSWORD", "relay.password"
BESIDE = {"SENDGATE_DOTENV": "none", "SENDGATE_RELAY_LOGIN": "gate"}


def held(folder: Path, content: str | bytes, *, name: str = "secret", mode: int = 0o640) -> Path:
    """A file with a secret."""
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    file.chmod(mode)
    return file


def said(environ: dict[str, str], config: Path | None = None) -> str:
    """What is said of an environment that cannot be used; no secret is shown."""
    with pytest.raises(SettingsError) as caught:
        load(config, {**BESIDE, **environ})
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_every_secret_has_a_file_and_a_credential(tmp_path: Path) -> None:
    assert set(file_variables()) == {f"{name}_FILE" for name in VALUES}
    assert set(file_variables().values()) == SECRETS | URLS
    for variable, value in VALUES.items():
        beside = {**BESIDE, **({"TELEGRAM_CHAT_ID": "-100"} if "TOKEN" in variable else {})}
        if variable.endswith("_BEFORE"):
            beside |= newest_of(variable)
        wanted = load(None, {**beside, variable: value})
        file = held(tmp_path, f"{value}\n")
        assert load(None, {**beside, f"{variable}_FILE": str(file)}) == wanted
        folder = tmp_path / variable
        folder.mkdir()
        held(folder, value, name=".".join(variable_paths()[variable]), mode=0o400)
        assert load(None, {**beside, "CREDENTIALS_DIRECTORY": str(folder)}) == wanted


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_end_of_the_line_is_no_part_of_it_and_blanks_are(tmp_path: Path, end: str) -> None:
    file = held(tmp_path, f" {SECRET} {end}")
    assert load(None, {**BESIDE, f"{NAME}_FILE": str(file)}).relay.password == f" {SECRET} "


def test_two_sources_are_an_error_that_names_both(tmp_path: Path) -> None:
    file = str(held(tmp_path, SECRET))
    held(tmp_path, SECRET, name=FIELD)
    by_file, by_credential = {f"{NAME}_FILE": file}, {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    credential = f"$CREDENTIALS_DIRECTORY/{FIELD}"
    for environ, names in (
        ({NAME: SECRET, **by_file}, (NAME, f"{NAME}_FILE")),
        ({NAME: SECRET, **by_credential}, (NAME, credential)),
        ({**by_file, **by_credential}, (f"{NAME}_FILE", credential)),
    ):
        assert said(environ) == f"{FIELD}: given by {' and by '.join(names)}: keep one of them"
    url = {"REDIS_URL": f"redis://:{SECRET}@h", "SENDGATE_LEDGER_URL_FILE": file}
    assert "REDIS_URL and by SENDGATE_LEDGER_URL_FILE" in said(url)


def test_an_empty_variable_beside_a_file_is_none_and_the_file_wins_over_the_configuration(
    tmp_path: Path,
) -> None:
    config = held(tmp_path, '[relay]\npassword = "of the file"\n', name="sendgate.toml")
    environ = {**BESIDE, NAME: "", f"{NAME}_FILE": str(held(tmp_path, SECRET))}
    assert load(config, environ).relay.password == SECRET


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        ("", 0o640, "is empty: write the secret into it"),
        ("\n", 0o640, "is empty: write the secret into it"),
        (f"{SECRET}\n{SECRET}\n", 0o640, "has more than one line"),
        (SECRET.encode() + b"\xff", 0o640, "is no UTF-8 text"),
        (SECRET * 6000, 0o640, "has more than 65536 octets"),
        (SECRET, 0o644, "is open to every user (mode 0644): chmod o= "),
        (SECRET, 0o642, "is open to every user (mode 0642): chmod o= "),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_why(
    tmp_path: Path, content: str | bytes, mode: int, why: str
) -> None:
    file = held(tmp_path, content, mode=mode)
    refusal = said({f"{NAME}_FILE": str(file)})
    assert refusal.startswith(f"{FIELD} (from {NAME}_FILE): {file} ")
    assert why in refusal


def test_what_is_no_file_is_refused_and_nobody_waits_for_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    assert "is no regular file" in said({f"{NAME}_FILE": str(pipe)})
    assert "is no regular file" in said({f"{NAME}_FILE": str(tmp_path)})
    assert "No such file or directory" in said({f"{NAME}_FILE": str(tmp_path / "none")})
    assert "it names no file" in said({f"{NAME}_FILE": ""})


def test_a_value_that_is_wrong_is_told_with_the_file_it_came_from(tmp_path: Path) -> None:
    file = held(tmp_path, f"postgresql://u:{SECRET}@h/db?unknown=1")
    refusal = said({"SENDGATE_DATABASE_URL_FILE": str(file)})
    assert refusal.startswith("database.url (from SENDGATE_DATABASE_URL_FILE): ")


def test_only_names_of_secrets_are_known(tmp_path: Path) -> None:
    assert not misspelt(dict.fromkeys(file_variables(), "x"))
    assert misspelt({"SENDGATE_RELAY_PASWORD_FILE": "x"}) == [
        "SENDGATE_RELAY_PASWORD_FILE: no such setting; is it SENDGATE_RELAY_PASSWORD_FILE?"
    ]
    held(tmp_path, "4", name="gateway.workers")
    assert load(None, {**BESIDE, "CREDENTIALS_DIRECTORY": str(tmp_path)}).gateway.workers == 1
