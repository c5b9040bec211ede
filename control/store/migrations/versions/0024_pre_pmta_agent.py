"""Accounting that an agent ships, and what its PowerMTA says of itself."""

from control.store.migrations.script import run

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0024_pre_pmta_agent.sql")
