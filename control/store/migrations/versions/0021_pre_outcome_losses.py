"""Outcomes in pages, counted losses, and addresses to be forgotten as they arrive."""

from control.store.migrations.script import run

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0021_pre_outcome_losses.sql")
