"""A client's own envelope and recipient, for reports."""

from control.store.migrations.script import run

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0007_pre_envelope_ids.sql")
