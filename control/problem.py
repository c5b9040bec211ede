"""Why something was not done, in the shape of RFC 9457: its kind, and every field problem."""

from collections.abc import Mapping

import msgspec

from control import kindof, kinds
from control.kind import Kind


class FieldProblem(msgspec.Struct, frozen=True):
    """One thing to change; `field` is empty where no single field is to blame."""

    field: str
    detail: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of `application/problem+json`."""

    type: str = "about:blank"
    """Where its kind is explained, relative to the API (`control.kind`)."""
    title: str
    """Of the kind."""
    status: int
    detail: str = ""
    """Of this one."""
    field: str = ""
    """The field, parameter or header to blame, where it is one."""
    fix: str = ""
    """What to do."""
    errors: list[FieldProblem] = []
    violated: list[str] = msgspec.field(name="violated-policies", default_factory=list)
    """Of `quota-exceeded`: the policies of RateLimit-Policy."""
    request_id: str = ""


def said(error: BaseException) -> str:
    """What an error says. One of time says nothing: `TimeoutError()` is an empty text, and true."""
    return str(error) or "no answer in time"


class RefusedError(Exception):
    """Nothing was changed. Its kind says what HTTP says: 400 bad input, 404 no such thing,
    409 it contradicts what is there, 429 too often, 503 a part we need is away."""

    after = 0
    """Seconds until it may be tried again; 0: nobody knows."""
    headers: Mapping[str, str] = {}
    """Of the answer, besides those of every one."""
    violated: tuple[str, ...] = ()
    """Policies of RateLimit-Policy that it exceeds."""

    def __init__(
        self,
        detail: str,
        *,
        status: int = 0,
        kind: Kind | None = None,
        field: str = "",
        fix: str = "",
        errors: list[FieldProblem] | None = None,
        alone: str = "",
    ):
        """`status`: where its general kind is meant, 409 for neither; `field`: to blame, where
        `errors` names none; `fix`: in place of the kind's; `alone`: in place of it all for who sees
        one tenant alone, where it names what may be another's."""
        super().__init__(detail)
        self.detail = detail
        self.kind = kind or kindof.of_status(status or 409)
        self.status = status or self.kind.status
        self.errors = errors or []
        self.called: dict[str, str] = {}
        """What a command calls the fields: its options."""
        self._general = self.kind in kindof.BY_STATUS.values() and not fix
        self._field = field
        self._fix = fix
        self._alone = alone

    @property
    def field(self) -> str:
        """The one to blame; empty for none, or several."""
        named = {error.field for error in self.errors}
        return named.pop() if len(named) == 1 else self._field

    @property
    def fix(self) -> str:
        """What to do, in a command's words where it has some for the field."""
        return self._fix or self.kind.remedy(self.called.get(self.field, self.field))

    @property
    def advice(self) -> str:
        """What to do, where that is more than what is said to everybody who meets the status: a
        command's own sentence has its remedy in it."""
        return "" if self._general else self.fix

    def apart(self) -> "RefusedError":
        """As it is told to who sees one tenant alone."""
        if not self._alone:
            return self
        fields = {error.field: FieldProblem(error.field, self._alone) for error in self.errors}
        return RefusedError(
            self._alone, status=self.status, kind=self.kind, errors=list(fields.values())
        )

    def problem(self, request_id: str = "") -> Problem:
        """As a body."""
        return Problem(
            type=self.kind.type,
            title=self.kind.title,
            status=self.status,
            detail=self.detail,
            field=self.field,
            fix=self.fix,
            errors=self.errors,
            violated=list(self.violated),
            request_id=request_id,
        )

    def line(self) -> str:
        """As one line for a terminal."""
        details = [
            f"{self.called.get(e.field, e.field)}: {e.detail}" if e.field else e.detail
            for e in self.errors
        ]
        if not details:
            return self.detail
        return details[0] if len(details) == 1 else "; ".join([self.detail, *details])


def away(part: str, error: Exception) -> RefusedError:
    """A part that is needed does not answer. What its driver says of that names hosts and roles: it
    is for who sees all tenants, and for the log."""
    silent = f"{part} does not answer"
    return RefusedError(f"{silent}: {said(error)}", status=503, alone=f"{silent}: {LOGGED}")


LOGGED = "the log has why, under this request id"


def in_the_way(what: str, found: list[str]) -> RefusedError:
    """Something stays because of what is in its way; each is counted and named."""
    if len(found) == 1:
        return RefusedError(f"{what} stays: {found[0]}", kind=kinds.IN_THE_WAY)
    title = f"{what} stays: {len(found)} things are in the way"
    errors = [FieldProblem("", text) for text in found]
    return RefusedError(title, kind=kinds.IN_THE_WAY, errors=errors)


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
    errors = [FieldProblem(field=field, detail=detail)]
    return RefusedError(f"{field}: {detail}", kind=kinds.TAKEN, errors=errors)


def missing(what: str, name: str) -> RefusedError:
    """There is no such thing (or it belongs to another tenant, which is the same to the caller)."""
    return RefusedError(f"{what} {cut(name)} does not exist", status=404)
