"""The API from the command's side: finds it, asks it, turns its problems into one line."""

import http.client
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from time import sleep
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec

from control.embedded.servers.datadir import DataDir
from control.embedded.servers.error import LocalPartError
from control.kindof import of_type
from control.kinds import QUOTA_EXCEEDED, SIGN_IN_REFUSED
from control.problem import Problem, RefusedError
from control.terminal.invocation import Invocation
from settings.secret import masked

_NEXT = re.compile('<([^>]*)>; rel="next"')
_TOKEN = re.compile(r"[!-~]*")
TIMEOUT = 60.0
"""Seconds; a change waits for gateways and PowerMTA."""
WAITS = 5
"""Times that a request waits for its turn."""
LONGEST_WAIT = 60
"""Seconds; no bound of a minute asks for more."""
PART = 1000
"""Entries of a list asked for at once."""

T = TypeVar("T")

EMPTY: Mapping[str, str] = {}

Parameter = str | int | bool | None
"""Of a query; None and False are left out."""


class Client:
    """One control API. Not kept open: a command asks once or twice."""

    def __init__(self, line: Invocation, *, timeout: float = TIMEOUT, waits: int = WAITS) -> None:
        """By --url and SENDGATE_TOKEN, else by what the stack left in the data dir. `waits`: times
        that a request waits for its turn, where it came too often.
        Raises LocalPartError when there is neither."""
        self._timeout, self._waits = timeout, waits
        self._url, self._token, self._ca = line.url, line.token, line.ca
        self._link = ""
        """Of the last answer."""
        if not self._url:
            addresses = DataDir(line.data_dir).read()
            self._url = addresses.api
            if not self._token:
                self._token = _token(addresses.token_file)

    def get(self, path: str, kind: type[T], /, **query: Parameter) -> T:
        """GET; raises RefusedError. A parameter of the query may be called as one of ours."""
        return self._decode(self._ask("GET", path, None, query), kind)

    def tagged(self, path: str, kind: type[T], /) -> tuple[T, str]:
        """GET, and its `ETag`; raises RefusedError."""
        answer, tag = self._exchange("GET", path, None, {})
        return self._decode(answer, kind), tag

    def tag(self, path: str, /) -> str:
        """The `ETag` of what is there, for a change of it; raises RefusedError."""
        return self._exchange("GET", path, None, {})[1]

    def pages(
        self, path: str, kind: type[T], /, *, most: int | None = None, **query: Parameter
    ) -> list[T]:
        """GET of a list of any length, in parts, each where the `Link` of the one before says;
        `most`: so many entries are enough. Raises RefusedError."""
        found: list[T] = []
        while most is None or len(found) < most:
            query["limit"] = str(PART if most is None else min(PART, most - len(found)))
            answer = self._ask("GET", path, None, query)
            found += self._decode(answer, list[kind])  # type: ignore[valid-type]
            following = _NEXT.match(self._link)
            if following is None:
                break
            query |= dict(parse_qsl(urlsplit(following[1]).query))
        return found

    def whole(self, path: str, kind: type[T], rows: str, /, **query: Parameter) -> T:
        """GET of an answer that has a list in its field `rows`, or is one (''), to the end of that,
        in parts as `pages`; what else it says is what the last part says. Raises RefusedError."""
        found: list[Any] = []
        while True:
            answer: Any = self.get(path, kind, **query)
            found += getattr(answer, rows) if rows else answer
            following = _NEXT.match(self._link)
            if following is None:
                break
            query |= dict(parse_qsl(urlsplit(following[1]).query))
        whole: Any = msgspec.structs.replace(answer, **{rows: found}) if rows else found
        return whole  # type: ignore[no-any-return]

    @property
    def more(self) -> bool:
        """Whether more follows the last answer."""
        return _NEXT.match(self._link) is not None

    def send(
        self,
        method: str,
        path: str,
        body: Any,
        kind: type[T],
        /,
        *,
        dry_run: bool = False,
        match: str = "",
        **query: Parameter,
    ) -> T:
        """POST, PATCH, PUT or DELETE, only while what is there has the tag `match`; raises
        RefusedError."""
        if dry_run:
            query["dry_run"] = "1"
        also = {"If-Match": match} if match else {}
        return self._decode(self._exchange(method, path, body, query, also)[0], kind)

    def octets(self, path: str, body: bytes, kind: type[T], /, **query: Parameter) -> T:
        """POST of packed octets; raises RefusedError."""
        return self._decode(self._ask("POST", path, body, query), kind)

    def text(self, path: str, /, **query: Parameter) -> str:
        """GET of a plain text; raises RefusedError."""
        return self._exchange("GET", path, None, query, {"Accept": "text/plain"})[0].decode()

    def _connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self._timeout)
        try:
            context = ssl.create_default_context(cafile=self._ca or None)
        except OSError as error:
            why = error.strerror or "no PEM file with certificates"
            raise RefusedError(f"--ca: {self._ca}: {why}") from error
        return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=context)

    def _ask(self, method: str, path: str, body: Any, query: Mapping[str, Parameter]) -> bytes:
        return self._exchange(method, path, body, query)[0]

    def _exchange(
        self,
        method: str,
        path: str,
        body: Any,
        query: Mapping[str, Parameter],
        also: Mapping[str, str] = EMPTY,
    ) -> tuple[bytes, str]:
        """The answer and its `ETag`; `also`: headers."""
        for _ in range(self._waits):
            try:
                return self._once(method, path, body, query, also)
            except RefusedError as error:
                # Nothing of it was done. A command that asks of thousands, one by one, goes on at
                # the pace it is given.
                if error.kind is not QUOTA_EXCEEDED or not 0 < error.after <= LONGEST_WAIT:
                    raise
                sleep(error.after)
        return self._once(method, path, body, query, also)

    def _once(
        self,
        method: str,
        path: str,
        body: Any,
        query: Mapping[str, Parameter],
        also: Mapping[str, str],
    ) -> tuple[bytes, str]:
        try:
            parts = urlsplit(self._url)
            host, port = parts.hostname, parts.port
        except ValueError:  # its text has what cannot be read, a password as likely as not
            host = port = None
        if not host or parts.scheme not in ("http", "https"):
            raise RefusedError(
                f"--url: {masked(self._url)!r} is not a URL such as http://127.0.0.1:8000"
            )
        given = {
            key: "1" if value is True else value
            for key, value in query.items()
            if value is not None and value is not False
        }
        target = parts.path.rstrip("/") + quote(path) + (f"?{urlencode(given)}" if given else "")
        if not _TOKEN.fullmatch(self._token):
            raise RefusedError("SENDGATE_TOKEN: there are characters in it that no token has")
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        headers |= also
        data = None
        if isinstance(body, bytes):
            data = body
            headers["Content-Type"] = "application/gzip"
        elif body is not None:
            data = msgspec.json.encode(body)
            headers["Content-Type"] = "application/json"
        connection = self._connection(parts.scheme, host, port)
        try:
            connection.request(method, target, body=data, headers=headers)
            response = connection.getresponse()
            answer = response.read()
            self._link = response.headers.get("Link", "")
        except ssl.SSLCertVerificationError as error:
            raise RefusedError(
                f"the certificate shown at {masked(self._url)} is not believed "
                f"({error.verify_message}): give who vouches for it with --ca FILE, or the name "
                "it is for with --url",
                status=503,
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise RefusedError(
                f"no control API answers at {masked(self._url)} ({error}); start one with "
                "`sendgate up`, or give its address with --url",
                status=503,
            ) from error
        finally:
            connection.close()
        if response.status >= 400:
            found = _refusal(answer, response.status, response.reason)
            after = response.headers.get("Retry-After", "")
            found.after = int(after) if after.isascii() and after.isdigit() else 0
            raise found
        return answer, response.headers.get("ETag", "")

    def _decode(self, answer: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(answer, type=kind)
        except msgspec.DecodeError as error:
            raise RefusedError(
                f"{masked(self._url)} answers something this version cannot read: {error}"
            ) from error


def _refusal(answer: bytes, status: int, reason: str) -> RefusedError:
    try:
        problem = msgspec.json.decode(answer, type=Problem)
    except msgspec.DecodeError:
        return RefusedError(f"the control API answers {status} {reason}", status=status)
    kind = of_type(problem.type, problem.status)
    if problem.status == 401 and kind is not SIGN_IN_REFUSED:
        detail = "the control API wants a valid token: set SENDGATE_TOKEN"
        return RefusedError(detail, status=401)
    # What it would say of any field we say ourselves, in the command's words.
    fix = "" if problem.fix == kind.remedy(problem.field) else problem.fix
    return RefusedError(
        problem.detail or problem.title,
        status=problem.status,
        kind=kind,
        field=problem.field,
        fix=fix,
        errors=problem.errors,
    )


def _token(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise LocalPartError(
            f"cannot read the token in {file} ({error.strerror}): set SENDGATE_TOKEN"
        ) from error
