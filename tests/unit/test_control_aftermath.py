"""The demo's last day: what it takes for right, and what not."""

import msgspec
import pytest

from control.embedded.demo.aftermath import EXPECTED, Aftermath, Sums, differences, mails

SENT = mails(first=7)
BOUNCED = {mail.to: "5.7.1 suppressed" for mail in SENT if mail.to.startswith("bounce")}
RIGHT = Aftermath(
    counted=EXPECTED, refused=BOUNCED, taken=[m.to for m in SENT if m.to not in BOUNCED]
)


def test_what_should_follow_is_no_difference() -> None:
    assert differences(SENT, RIGHT) == []
    assert len(BOUNCED) == EXPECTED.bounced_address == 2
    assert len(SENT) == EXPECTED.relayed


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"counted": Sums(relayed=6)}, "statistics should be"),
        ({"refused": {}}, "bounce+10@company.example bounced, and is still taken"),
        ({"taken": []}, "reader7@company.example did not bounce, and is not taken"),
    ],
)
def test_what_should_not_is_told(change: dict[str, object], told: str) -> None:
    assert told in "\n".join(differences(SENT, msgspec.structs.replace(RIGHT, **change)))
