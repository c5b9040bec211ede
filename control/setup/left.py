"""What is left to do before mail flows, from what was found; each with its command."""

from collections.abc import Mapping

import msgspec

from control.setup.answers import Answers


class Step(msgspec.Struct, frozen=True):
    """One thing to do."""

    what: str
    command: str


def left(answers: Answers, known: Mapping[str, int] | None) -> list[Step]:
    """`known`: how many servers, tenants, domains and tokens PostgreSQL has; None: it has no
    schema, or does not answer."""
    steps = []
    if known is None:
        steps.append(Step("make the database's schema", "sendgate migrate"))
    has = known or {}
    steps.append(Step("start control", "systemctl enable --now sendgate-control"))
    if not has.get("tokens"):
        steps.append(Step("make a token for yourself", "sendgate token add admin"))
    if not has.get("servers"):
        pmta = answers.pmta or "HOST:2525"
        steps.append(Step("name PowerMTA", f"sendgate server set pmta1 {pmta}"))
    if not has.get("tenants"):
        add = "sendgate tenant add acme --login acme --password-stdin"
        steps.append(Step("add a tenant, and its login for MailWizz", add))
    if not has.get("domains"):
        add = "sendgate domain add --tenant acme --domain news.example.com --ip 192.0.2.10"
        steps.append(Step("add a sending domain, and publish the DNS records it prints", add))
        steps.append(
            Step("load PowerMTA's configuration", "sendgate pmta config --output sendgate.conf")
        )
    steps.append(Step("start the gateway", "systemctl enable --now sendgate-gateway"))
    key, folder = "/etc/sendgate/backup.key", "/var/backups/sendgate"
    steps.append(Step("make a key for back-ups, and one every day", f"sendgate backup key {key}"))
    steps.append(Step("the first back-up", f"sendgate backup {folder} --key {key} --keep 30"))
    return steps
