"""A number beside the name of tenants, pools, IPs, domains, servers, plans and mailboxes."""

from control.store.migrations.script import run

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0014_pre_ids.sql")
