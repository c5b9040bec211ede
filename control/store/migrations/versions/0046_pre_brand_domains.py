"""Brand domains of a tenant."""

from control.store.migrations.script import run

revision = "0046"
down_revision = "0045"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0046_pre_brand_domains.sql")
