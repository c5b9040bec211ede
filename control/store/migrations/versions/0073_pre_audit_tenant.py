"""The audit log says whose each row is."""

from control.store.migrations.script import run

revision = "0073"
down_revision = "0072"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0073_pre_audit_tenant.sql")
