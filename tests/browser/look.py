"""How a page is looked at: on what, by whom."""

from dataclasses import dataclass
from itertools import product
from typing import Any

SIZES = {"phone": (360, 740), "desktop": (1280, 800)}
"""CSS pixels; of phones the narrowest that people have."""


@dataclass(frozen=True)
class Look:
    """One of them."""

    scheme: str = "light"
    size: str = "desktop"
    scripts: bool = True

    def __str__(self) -> str:
        return f"{self.scheme} {self.size}{'' if self.scripts else ' without JavaScript'}"

    def options(self) -> dict[str, Any]:
        """Of a context of playwright's. Certificates of ours nobody has signed."""
        width, height = SIZES[self.size]
        return {
            "color_scheme": self.scheme,
            "viewport": {"width": width, "height": height},
            "is_mobile": self.size == "phone",
            "has_touch": self.size == "phone",
            "java_script_enabled": self.scripts,
            "ignore_https_errors": True,
        }


LOOKS = tuple(Look(*one) for one in product(("light", "dark"), SIZES, (True, False)))
"""Every one."""
