"""A rollback of PowerMTA's configuration holds."""

from control.store.migrations.script import run

revision = "0053"
down_revision = "0052"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0053_pre_rollback_holds.sql")
