"""Domain macros: ``domain-macro NAME LIST``, and ``$NAME`` in the lists and ``<domain>`` blocks.

Source: PowerMTA v5.0 User's Guide 3.3.10. The order of definition does not count; a macro that
leads back to itself is a load error whether it is used or not.
"""

import re
from itertools import product

from loadtest.pmta.form import refusal
from loadtest.pmta.grammar import Block, ConfigError, Directive, Place

_USE = re.compile(r"\$(\w+)")


class Macros:
    """The macros of one configuration, names in lower case.

    Raises ConfigError for a loop, and for a use that names none or makes no domain.
    """

    def __init__(self, root: Block) -> None:
        self._defined = {d.values[0].lower(): d for d in root.all("domain-macro")}
        for name, directive in self._defined.items():
            self._values(name, directive.at, ())
        for block in (root, *root.blocks):
            for inner in block.blocks:
                if inner.tag == "domain":
                    self.domains(inner)

    def domains(self, block: Block) -> list[str]:
        """The patterns of a ``<domain>`` block, its macros replaced."""
        found = self._expand(block.argument.lower(), block.at, ())
        for domain in found:
            if problem := refusal("QUEUE-PATTERN", domain):
                raise ConfigError(block.at, f"{problem} for <domain {block.argument}>")
        return found

    def _expand(self, text: str, at: Place, within: tuple[str, ...]) -> list[str]:
        # Odd parts are names of macros.
        parts = _USE.split(text)
        choices = [
            self._values(part, at, within) if odd % 2 else [part] for odd, part in enumerate(parts)
        ]
        return ["".join(words) for words in product(*choices)]

    def _values(self, name: str, at: Place, within: tuple[str, ...]) -> list[str]:
        directive = self._defined.get(name.lower())
        if directive is None:
            raise ConfigError(at, f"no domain-macro '{name}'; define it with domain-macro")
        if name in within:
            loop = " -> ".join((*within[within.index(name) :], name))
            raise ConfigError(directive.at, f"domain-macro '{name}' leads to itself: {loop}")
        values = [self._expand(item, directive.at, (*within, name)) for item in _items(directive)]
        return [value for found in values for value in found]


def _items(directive: Directive) -> list[str]:
    return [item for value in directive.values[1:] for item in value.lower().split(",") if item]
