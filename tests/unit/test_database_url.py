"""A database URL as other stacks write it: each parameter acts, is left out, or is one error."""

from pathlib import Path
from typing import Any

import pytest
from asyncpg import connect_utils

from settings.databaseurl import CONNECTING, read
from settings.load import SettingsError, load

BASE = "postgresql://u:p@db:5433/mail"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_connection_limit_is_the_size_of_the_pools_and_leaves_the_url() -> None:
    settings = load(None, {"DATABASE_URL": BASE + "?connection_limit=20"})
    assert settings.database.url == BASE
    assert settings.database.connections == 20
    assert settings.hold.connections == 4  # a bound of it, never more
    small = load(None, {"DATABASE_URL": BASE + "?sslmode=require&connection_limit=3&schema=public"})
    assert small.database.url == BASE + "?sslmode=require"
    assert (small.database.connections, small.hold.connections) == (3, 3)
    assert load(None, {"DATABASE_URL": BASE + "?connection_limit=1"}).hold.connections == 2


def test_the_variable_of_a_pool_wins_over_connection_limit_and_that_over_the_file(
    tmp_path: Path,
) -> None:
    file = tmp_path / "sendgate.toml"
    file.write_text(
        f'[database]\nurl = "{BASE}?connection_limit=20"\nconnections = 10\n'
        "[hold]\nconnections = 30\n"
    )
    settings = load(file, {})
    assert (settings.database.url, settings.database.connections) == (BASE, 20)
    assert settings.hold.connections == 20
    ours = {"SENDGATE_DATABASE_CONNECTIONS": "7", "SENDGATE_HOLD_CONNECTIONS": "9"}
    settings = load(file, ours)
    assert (settings.database.connections, settings.hold.connections) == (7, 9)


@pytest.mark.parametrize(
    "query",
    ["pool_timeout=30", "connect_timeout=5&socket_timeout=9", "schema=public&pgbouncer=false",
     "statement_cache_size=0", "max_idle_connection_lifetime=60", "channel_binding=prefer"],
)  # fmt: skip
def test_what_has_a_place_here_already_is_left_out(query: str) -> None:
    assert read(f"{BASE}?{query}") == (BASE, None, [])


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("connection_limit=many", "connection_limit: expected a whole number from 1"),
        ("connection_limit=0", "connection_limit: expected"),
        ("connection_limit=", "connection_limit: expected"),
        ("pgbouncer=true", "parameter pgbouncer: Sendgate needs a PostgreSQL session for itself"),
        ("schema=mail", "parameter schema: Sendgate has its tables in schema public"),
        ("sslaccept=strict", "parameter sslaccept: Sendgate is told by sslmode"),
        ("channel_binding=require", "parameter channel_binding: "),
        ("conection_limit=20", "parameter 'conection_limit' means nothing here"),
        ("nothing", "after ? stand parameters"),
    ],
)
def test_what_is_not_understood_is_one_error_that_names_it(query: str, wanted: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(None, {"DATABASE_URL": f"{BASE}?sslmode=disable&{query}"})
    [problem] = refused.value.problems
    assert problem.startswith(f"database.url (from DATABASE_URL): {wanted}")
    assert "u:p" not in problem


def test_a_password_that_was_not_escaped_is_not_shown() -> None:
    with pytest.raises(SettingsError) as refused:
        load(None, {"DATABASE_URL": "postgresql://u:pa?hunter2=x@db/mail"})
    assert refused.value.problems == [
        "database.url (from DATABASE_URL): write ? in a password as %3F"
    ]


def test_a_driver_in_the_scheme_is_the_other_stacks_business() -> None:
    assert read("postgresql+asyncpg://u:p@db/mail").url == "postgresql://u:p@db/mail"
    assert read("postgres://u:p@db/mail").url == "postgres://u:p@db/mail"
    assert read("mysql+x://db/mail?y=1").url == "mysql+x://db/mail?y=1"


@pytest.mark.parametrize("name", sorted(CONNECTING))
def test_asyncpg_keeps_its_own_parameters_from_the_server(name: str) -> None:
    """One it did not know would be sent as a setting, and end the connection."""
    value = {
        "sslmode": "disable",
        "port": "5",
        "sslnegotiation": "postgres",
        "gsslib": "gssapi",
    }.get(name, "any")
    if name.startswith("ssl_m"):
        value = "TLSv1.2"
    nothing: dict[str, Any] = dict.fromkeys(
        ("host", "port", "user", "password", "passfile", "database", "ssl", "service",
         "servicefile", "direct_tls", "server_settings", "target_session_attrs", "krbsrvname",
         "gsslib")
    )  # fmt: skip
    _, parameters = connect_utils._parse_connect_dsn_and_args(
        dsn=f"{BASE}?sslmode=disable&{name}={value}", **nothing
    )
    assert not parameters.server_settings
