"""History of accounting that is imported."""

from control.store.migrations.script import run

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0031_pre_accounting_import.sql")
