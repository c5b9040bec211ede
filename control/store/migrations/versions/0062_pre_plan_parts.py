"""Generations in parts."""

from control.store.migrations.script import run

revision = "0062"
down_revision = "0061"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0062_pre_plan_parts.sql")
