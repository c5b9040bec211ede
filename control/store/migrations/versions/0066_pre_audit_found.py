"""The audit log is searched by kind and address without reading all of it."""

from control.store.migrations.script import run

revision = "0066"
down_revision = "0065"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0066_pre_audit_found.sql")
