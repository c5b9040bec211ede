"""Which IP each VirtualMTA had, and when."""

from control.store.migrations.script import run

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0020_pre_vmta_ips.sql")
