"""Tenants that are being removed."""

from control.store.migrations.script import run

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0019_pre_leaving.sql")
