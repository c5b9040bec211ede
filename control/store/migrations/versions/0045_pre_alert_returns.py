"""Alerts that come and go are one."""

from control.store.migrations.script import run

revision = "0045"
down_revision = "0044"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0045_pre_alert_returns.sql")
