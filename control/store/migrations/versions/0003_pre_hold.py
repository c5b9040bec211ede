"""The hold queue, evidence, and what a ledger is rebuilt from."""

from control.store.migrations.script import run

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0003_pre_hold.sql")
