"""The hold's SQL: one file a statement, read once at import of its user."""

from importlib.resources import files


def statement(name: str) -> str:
    """The text of `sql/NAME.sql`. Raises FileNotFoundError."""
    return (files("gateway.hold") / "sql" / f"{name}.sql").read_text(encoding="utf-8")
