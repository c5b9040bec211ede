"""The positions of PowerMTA's accounting files, one row each."""

from control.store.migrations.script import run

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0010_pre_accounting_files.sql")
