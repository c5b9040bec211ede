"""What the daily look finds published of each sending domain."""

from control.store.migrations.script import run

revision = "0071"
down_revision = "0070"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0071_pre_domain_checks.sql")
