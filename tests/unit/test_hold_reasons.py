"""The reasons that `hold list --reason` knows are those that rows get."""

import re
from typing import get_args

from control.held.reason import WaitReason
from policy.denial import Limit
from tests.support.repository import ROOT

_SET = re.compile(r"""\breason(?: =|=) ?["']([a-z_]+)["']""")
_KEPT = re.compile(r"""_(?:keeping|wait)\((?:"(?:held|doubt)", )?"([a-z_]+)",""")


def test_every_reason_a_row_gets_can_be_asked_for_and_no_other() -> None:
    found = {limit.value for limit in Limit} | {"dividing", "restored"}
    for room in ("gateway/hold", "gateway/delivery", "control/store/migrations/sql"):
        for file in (ROOT / room).rglob("*.*"):
            if file.suffix in (".py", ".sql"):
                text = file.read_text(encoding="utf-8")
                found |= {*_SET.findall(text), *_KEPT.findall(text)}
                if "THEN 'paused' ELSE h.reason" in text:
                    found.add("paused")
                if "WHEN 'held' THEN 'absent'" in text:
                    found.add("absent")
    # States, where the reason is a variable.
    assert found - {"held", "doubt"} == set(get_args(WaitReason))
