"""What DNS has of this host, and whether anybody can be asked at all."""

from control.published.asking import Servers
from settings.model import Settings


async def name_warnings(settings: Settings) -> list[str]:
    """Sentences; mail goes without all of it, but checks of domains and look-ups of providers do
    not."""
    name = settings.gateway.hostname
    if not name:
        return []
    questions = Servers(settings.dns).questions()
    four, six = await questions.ask(name, "A"), await questions.ask(name, "AAAA")
    unknown = [one for one in (four, six) if one.state == "unknown"]
    if len(unknown) == 2:
        return [
            f"DNS does not answer ({unknown[0].why}): name resolvers that do in dns.nameservers"
        ]
    if four.absent and six.absent:
        fix = "publish an A record, or name a host that has one"
        return [f"gateway.hostname: {name} has no address in DNS: {fix}"]
    return []
