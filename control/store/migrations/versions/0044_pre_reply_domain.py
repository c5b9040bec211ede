"""Which domain's mail a provider's reply was about."""

from control.store.migrations.script import run

revision = "0044"
down_revision = "0043"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0044_pre_reply_domain.sql")
