"""Warm-up that began elsewhere."""

from control.store.migrations.script import run

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0038_pre_warmup_import.sql")
