"""Held mail by lines: of a mailbox in a pool and provider, and what became ready."""

from control.store.migrations.script import run

revision = "0056"
down_revision = "0055"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0056_pre_held_lines.sql")
