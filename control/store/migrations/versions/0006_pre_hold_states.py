"""Columns of held rows belong to states, and leave with them."""

from control.store.migrations.script import run

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0006_pre_hold_states.sql")
