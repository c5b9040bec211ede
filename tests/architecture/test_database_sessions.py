"""No session with PostgreSQL is opened without bounds that the server itself keeps."""

import ast

from tests.support.repository import ROOT

_OPENS = {"connect", "create_pool"}


def test_every_session_tells_the_server_its_bounds() -> None:
    """A client's own time-out does not run while the client hangs or is frozen."""
    calls = [
        (str(file.relative_to(ROOT)), call.lineno, {word.arg for word in call.keywords})
        for folder in ("control", "gateway")
        for file in (ROOT / folder).rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in _OPENS
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "asyncpg"
    ]
    assert len(calls) >= 6
    assert [call for call in calls if "server_settings" not in call[2]] == []
