"""Which failures count against a held message."""

from control.store.migrations.script import run

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0008_pre_hold_blame.sql")
