"""Why somebody changes something, in their words."""

from typing import Annotated

import msgspec

from control.values.wanted import meant

LONGEST = 500

ReasonText = Annotated[str, msgspec.Meta(max_length=LONGEST), meant("For the audit log.")]
