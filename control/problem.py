"""Why something was not done, in the shape of RFC 9457: a title, and every field problem."""

from collections.abc import Mapping

import msgspec


class FieldProblem(msgspec.Struct, frozen=True):
    """One thing to change; `field` is empty where no single field is to blame."""

    field: str
    detail: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of `application/problem+json`."""

    title: str
    status: int
    detail: str = ""
    errors: list[FieldProblem] = []
    request_id: str = ""


class RefusedError(Exception):
    """Nothing was changed. `status` is what HTTP says: 400 bad input, 404 no such thing,
    409 it contradicts what is there, 429 too often, 503 a part we need is away."""

    after = 0
    """Seconds until it may be tried again; 0: nobody knows."""
    headers: Mapping[str, str] = {}
    """Of the answer, besides those of every one."""

    def __init__(
        self,
        title: str,
        *,
        status: int = 409,
        errors: list[FieldProblem] | None = None,
        alone: str = "",
    ):
        """`alone`: in place of it all for who sees one tenant alone, where it names what may be
        another's."""
        super().__init__(title)
        self.title = title
        self.status = status
        self.errors = errors or []
        self.called: dict[str, str] = {}
        """What a command calls the fields: its options."""
        self._alone = alone

    def apart(self) -> "RefusedError":
        """As it is told to who sees one tenant alone."""
        if not self._alone:
            return self
        fields = {error.field: FieldProblem(error.field, self._alone) for error in self.errors}
        return RefusedError(self._alone, status=self.status, errors=list(fields.values()))

    def problem(self, request_id: str = "") -> Problem:
        """As a body."""
        return Problem(
            title=self.title, status=self.status, errors=self.errors, request_id=request_id
        )

    def line(self) -> str:
        """As one line for a terminal."""
        details = [
            f"{self.called.get(e.field, e.field)}: {e.detail}" if e.field else e.detail
            for e in self.errors
        ]
        if not details:
            return self.title
        return details[0] if len(details) == 1 else "; ".join([self.title, *details])


def in_the_way(what: str, found: list[str]) -> RefusedError:
    """Something stays because of what is in its way; each is counted and named."""
    if len(found) == 1:
        return RefusedError(f"{what} stays: {found[0]}")
    title = f"{what} stays: {len(found)} things are in the way"
    return RefusedError(title, errors=[FieldProblem("", text) for text in found])


SHOWN = 10
"""Names in one sentence."""


LONGEST = 100
"""Characters that are repeated of what somebody wrote."""


def cut(text: str) -> str:
    """A text as a sentence repeats it."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def quoted(text: str) -> str:
    """The same in quotes, its control characters escaped."""
    return repr(text) if len(text) <= LONGEST else f"{text[:LONGEST]!r}…"


def counted(names: list[str], noun: str) -> str:
    """`2 IPs (192.0.2.1, 192.0.2.2)`, the first few by name."""
    listed = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'} ({listed})"


def bad(field: str, detail: str, *, alone: str = "") -> RefusedError:
    """One field of the input is wrong. `alone` as RefusedError has it."""
    errors = [FieldProblem(field=field, detail=detail)]
    return RefusedError(f"{field}: {detail}", status=400, errors=errors, alone=alone)


def taken(field: str, detail: str) -> RefusedError:
    """A field of the input names what is another's, or there already."""
    return RefusedError(f"{field}: {detail}", errors=[FieldProblem(field=field, detail=detail)])


def missing(what: str, name: str) -> RefusedError:
    """There is no such thing (or it belongs to another tenant, which is the same to the caller)."""
    return RefusedError(f"{what} {cut(name)} does not exist", status=404)
