"""Warm-up that moves by itself."""

from control.store.migrations.script import run

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0035_pre_warmup.sql")
