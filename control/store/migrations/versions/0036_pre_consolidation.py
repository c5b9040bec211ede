"""Days of the ledger, consolidated."""

from control.store.migrations.script import run

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0036_pre_consolidation.sql")
