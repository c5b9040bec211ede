"""What a change of the plan did, or would do, in sentences."""

from typing import Any

from control.console.page import Done
from control.console.visit import Visit
from control.plan.changed import Changed
from control.values.inert import inert

SHOWN = 30
"""Fields that are told one by one."""
_LONGEST = 120
"""Characters of a value."""


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
        f"{one.subject}: {one.field.replace('_', ' ')} from {_said(one.before)} to "
        f"{_said(one.after)}"
        for one in done.differences
    ]
    more = len(found) - SHOWN
    return found[:SHOWN] + ([f"and {more:,} more fields"] if more > 0 else [])


def _said(value: Any) -> str:
    if value is None or value in ("", []):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = inert(", ".join(map(str, value)) if isinstance(value, list) else str(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
