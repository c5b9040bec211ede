"""Which programs of before run on the schema."""

from control.store.migrations.script import run

revision = "0077"
down_revision = "0076"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0077_pre_schema_reads.sql")
