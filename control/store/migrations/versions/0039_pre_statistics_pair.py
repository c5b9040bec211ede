"""Sums of campaigns by IP, and what the largest table is read by."""

from control.store.migrations.script import run

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0039_pre_statistics_pair.sql")
