"""No session with PostgreSQL is opened without bounds that the server itself keeps, and none
but the embedded server's own with one that takes no writes."""

import ast

from tests.support.repository import nodes_of, python_files

_STARTS = "control/embedded/servers/postgres.py"
_WRITES = ("target_session_attrs='read-write'", "**WRITABLE", "connect=connect")
_OPENS = {"connect", "create_pool"}


def _opened() -> list[tuple[str, set[str], set[str]]]:
    """File, names of keyword arguments, and those as they are written."""
    return [
        (
            str(file),
            {word.arg or "" for word in call.keywords},
            {ast.unparse(word) for word in call.keywords},
        )
        for file in python_files("control", "gateway")
        for call in nodes_of(file)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in _OPENS
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "asyncpg"
    ]


def test_every_session_tells_the_server_its_bounds() -> None:
    """A client's own time-out does not run while the client hangs or is frozen."""
    calls = _opened()
    assert len(calls) >= 6
    assert [call for call in calls if "server_settings" not in call[1]] == []


def test_every_session_is_with_a_server_that_takes_writes() -> None:
    assert [file for file, _, words in _opened() if not words.intersection(_WRITES)] == [_STARTS]
