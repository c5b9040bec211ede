"""Texts of several lines: whole files in a request."""

from typing import Annotated

import msgspec

Lines = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^[\\s\\S]*$"})]
"""Of any characters. The struct it is a field of names the field in `of_lines`: what a request
refuses in every other text (`control/api/body.py`) is a matter of who reads the file."""
