"""What a change of the plan did, or would do, in sentences."""

from typing import Any

from control.console.page import Done
from control.console.saying import saying
from control.console.visit import Visit
from control.plan.changed import Changed

SHOWN = 30
"""Fields that are told one by one."""


def trying(visit: Visit) -> dict[str, str]:
    """The query of a change that is tried first."""
    return {"dry_run": "1" if visit.dry else ""}


def forced(visit: Visit) -> dict[str, str]:
    """The same of what is taken away: with its reason, and `force` where that was ticked."""
    force = "1" if visit.form.get("force") else ""
    return {**trying(visit), "force": force, "reason": visit.form.get("reason", "").strip()}


def told(done: Changed[Any], would: str, did: str, *, to: str = "") -> Done:
    """`would` and `did`: the one sentence of either."""
    if done.dry_run:
        return Done(would, notes=(*differences(done), *done.notes))
    if not done.changed:
        return Done("It is like that already: nothing was changed.", notes=tuple(done.notes), to=to)
    notes = list(done.notes)
    if done.late:
        notes.append(f"These gateway workers do not run it yet: {', '.join(done.late[:10])}.")
    return Done(did, notes=tuple(notes), to=to)


def differences(done: Changed[Any]) -> list[str]:
    """Field by field."""
    found = [
        f"{one.subject}: {one.field.replace('_', ' ')} from {saying(one.before)} to "
        f"{saying(one.after)}"
        for one in done.differences
    ]
    more = len(found) - SHOWN
    return found[:SHOWN] + ([f"and {more:,} more fields"] if more > 0 else [])
