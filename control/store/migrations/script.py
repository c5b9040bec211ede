"""Runs one SQL file of `sql/` inside the migration's transaction."""

from importlib.resources import files
from typing import Any

from alembic import op
from sqlalchemy.util import await_only


def run(name: str) -> None:
    """Execute the statements of `name`, all of them or none."""
    text = (files("control.store.migrations") / "sql" / name).read_text(encoding="utf-8")
    bind = op.get_bind()
    # SQLAlchemy begins its transaction with the first statement it sees, and does not see ours.
    bind.exec_driver_sql("SELECT 1")
    # Its own door prepares statements, which PostgreSQL allows for single ones only.
    driver: Any = bind.connection.driver_connection
    await_only(driver.execute(text))
    # A row changed under a deferred constraint keeps its table from the next revision's ALTER TABLE
    # ("pending trigger events"): they all run in one transaction, so each is checked by itself.
    await_only(driver.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED"))
