"""Mail whose From: names nobody for certain."""

from control.store.migrations.script import run

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0009_pre_unreadable_from.sql")
