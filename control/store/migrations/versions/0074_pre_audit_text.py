"""Texts are found in the audit log without reading all of it, where PostgreSQL has pg_trgm."""

from control.store.migrations.script import run

revision = "0074"
down_revision = "0073"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0074_pre_audit_text.sql")
