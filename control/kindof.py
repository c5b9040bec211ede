"""Which kind of problem is meant where a status, or a `type`, is all that is said."""

from control.kind import PATH, Kind
from control.kinds import (
    CONFLICT,
    INVALID,
    KEY_REUSED,
    KINDS,
    LOCKED,
    NO_SUCH_METHOD,
    NOT_FOUND,
    OUR_ERROR,
    PART_AWAY,
    ROLE_TOO_LOW,
    TOKEN_NEEDED,
    TOO_LARGE,
    TOO_SLOW,
)

BY_STATUS: dict[int, Kind] = {
    kind.status: kind
    for kind in (
        *(INVALID, TOKEN_NEEDED, ROLE_TOO_LOW, NOT_FOUND, NO_SUCH_METHOD, TOO_SLOW, CONFLICT),
        *(TOO_LARGE, KEY_REUSED, LOCKED, OUR_ERROR, PART_AWAY),
    )
}
"""What a refusal is that gives a status and no kind."""


def of_status(status: int) -> Kind:
    """The general one of a status; of one that is not ours (a proxy's 502) what comes next."""
    return BY_STATUS.get(status) or (PART_AWAY if status > 500 else INVALID)


def of_type(text: str, status: int) -> Kind:
    """That a problem's `type` names; an older Sendgate names none."""
    return KINDS.get(text.removeprefix(f"{PATH}/")) or of_status(status)
