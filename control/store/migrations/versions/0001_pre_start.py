"""The first schema."""

from control.store.migrations.script import run

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0001_pre_start.sql")
