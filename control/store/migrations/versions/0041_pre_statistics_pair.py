"""Sums of campaigns by IP, and what the largest table is read by."""

from control.store.migrations.script import run

revision = "0041"
down_revision = "0040"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0041_pre_statistics_pair.sql")
