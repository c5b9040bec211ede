"""The campaign a message belongs to, as MailWizz names it.

MailWizz 2.x writes `Feedback-ID: CAMPAIGN:SUBSCRIBER:LIST:CUSTOMER`; the format is a setting of
its customer groups, so only this default shape is read here and everything else is "none".
"""

import re

_FEEDBACK_ID = re.compile(
    rb"\s*([A-Za-z0-9]{6,40}):([A-Za-z0-9]{6,40}):[^:\s]{1,64}:[^:\s]{1,64}\s*\Z"
)


def campaign_of(feedback_id: bytes) -> str:
    """The campaign id of a `Feedback-ID` value, or ''. Safe as an x-job: letters and digits."""
    match = _FEEDBACK_ID.match(feedback_id)
    return match[1].decode("ascii") if match else ""
