"""Lines of the operator's in the blocks of VirtualMTAs and pools."""

from control.store.migrations.script import run

revision = "0048"
down_revision = "0047"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0048_pre_own_lines.sql")
