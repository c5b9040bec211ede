"""Accounting that an agent ships, and what its PowerMTA says of itself."""

from control.store.migrations.script import run

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0025_pre_pmta_agent.sql")
