"""Generations in parts."""

from control.store.migrations.script import run

revision = "0060"
down_revision = "0059"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0060_pre_plan_parts.sql")
