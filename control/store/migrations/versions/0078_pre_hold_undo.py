"""Orders for held mail that can be undone for a while, and what they took."""

from control.store.migrations.script import run

revision = "0078"
down_revision = "0077"
additive = True


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0078_pre_hold_undo.sql")
