"""The audit log says of what kind and from where, and keeps its rows."""

from control.store.migrations.script import run

revision = "0065"
down_revision = "0064"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0065_pre_audit_kept.sql")
