"""What DNS blocklists say of our IPs and sending domains."""

from control.store.migrations.script import run

revision = "0069"
down_revision = "0068"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0069_pre_blocklists.sql")
