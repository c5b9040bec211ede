"""Since when nothing is queued for a VirtualMTA."""

from control.store.migrations.script import run

revision = "0050"
down_revision = "0049"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0050_pre_drained.sql")
