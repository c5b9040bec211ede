"""The shapes in which gateways hand over messages to be held."""

from control.store.migrations.script import run

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0004_pre_hold_values.sql")
