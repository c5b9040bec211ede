"""What ledgers counted, for when one is lost."""

from control.store.migrations.script import run

revision = "0047"
down_revision = "0046"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0047_pre_counted.sql")
