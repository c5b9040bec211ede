"""What directives say of each other: names that must be defined, and where.

Source: PowerMTA v5.0 User's Guide, at each section named.
"""

from loadtest.pmta.grammar import Block, ConfigError, Directive


def check_references(root: Block) -> None:
    """Raise ConfigError for a name that is not defined, or not soon enough."""
    seen: set[str] = set()
    proxies = {b.argument.lower() for b in root.blocks if b.tag == "proxy"}
    for user in (root, *(b for b in root.blocks if b.tag == "virtual-mta")):
        for directive in user.all("use-proxy"):
            # 3.3.1.39: each must be defined.
            for name in _names(directive):
                if name not in proxies:
                    raise ConfigError(directive.at, f"no <proxy {name}>; define it or remove this")
    for block in root.blocks:
        if block.tag == "pattern-list":
            seen.add(block.argument.lower())
        elif block.tag == "source":
            # 3.3.7.39: the list must precede the source.
            for directive in block.all("pattern-list"):
                name = directive.values[0]
                if name.lower() not in seen:
                    problem = f"no <pattern-list {name}> above this source; define it before"
                    raise ConfigError(directive.at, problem)
        elif block.tag == "proxy":
            # 10.2.1.1: both are required.
            for needed in ("server", "client"):
                if not any(block.all(needed)):
                    raise ConfigError(block.at, f"<proxy> needs '{needed}'; add it")


def _names(directive: Directive) -> list[str]:
    words = ",".join(directive.values).lower().split(",")
    return [word for word in words if word]
