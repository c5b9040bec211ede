"""Whether a tenant's reports were decided on by an operator."""

from control.store.migrations.script import run

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0005_pre_reports.sql")
