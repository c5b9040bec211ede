"""Generations in parts."""

from control.store.migrations.script import run

revision = "0061"
down_revision = "0060"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0061_pre_plan_parts.sql")
