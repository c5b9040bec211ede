"""What an error of a handler is to who asked: the problem, and the answer that carries it."""

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus

import msgspec
from aiohttp import web
from redis.exceptions import RedisError

from control import kinds
from control.problem import Problem, RefusedError, away, said
from control.users.role import Holder

log = logging.getLogger(__name__)

Refusal = Callable[[Exception], RefusedError | None]
"""What an error of a part below means for who asked; None: it is not that part's."""

ASKER = web.RequestKey("who asks", Holder)
"""Of a request, once its door knows."""

RETRY_AFTER = 30
"""Seconds told to who met a part of ours that is away, or full."""


class Refused:
    """`refusal`: of the database."""

    def __init__(self, refusal: Refusal) -> None:
        self._refusal = refusal

    def answer(self, error: Exception, request: web.Request, request_id: str) -> web.Response:
        """As RFC 9457 has it, with the request's id in it and in the log."""
        problem, headers = self.problem(error, request, request_id)
        return web.Response(
            body=msgspec.json.encode(problem),
            status=problem.status,
            content_type="application/problem+json",
            headers=headers,
        )

    def problem(
        self, error: Exception, request: web.Request, request_id: str
    ) -> tuple[Problem, dict[str, str]]:
        """The same, and the headers of its answer."""
        headers: Mapping[str, str] = {}
        if isinstance(error, RefusedError):
            told = error if _sees_all(request) else error.apart()
            if told is not error:
                self._warn(error, request, request_id)
            problem, headers = told.problem(request_id), _headers(error)
        elif isinstance(error, web.HTTPException):
            problem = _of_http(error).problem(request_id)
            headers = {k: v for k, v in error.headers.items() if k in ("WWW-Authenticate", "Allow")}
        else:
            problem = self._meant(error, request, request_id)
        again = {"Retry-After": str(RETRY_AFTER)} if problem.status == 503 else {}
        return problem, {**headers, **again, "X-Request-Id": request_id}

    def _meant(self, error: Exception, request: web.Request, request_id: str) -> Problem:
        found = self._refusal(error)
        if isinstance(error, RedisError):
            found = away("the ledger", error)
        elif found is None and isinstance(error, OSError):
            found = away("a part we need", error)
        if found is None:
            asked = request.method, request.path, request_id
            log.error("%s %s [%s]", *asked, exc_info=error)
            found = RefusedError("the log has it under this request id", kind=kinds.OUR_ERROR)
        told = found if _sees_all(request) else found.apart()
        if found.status == 503 or told is not found:
            self._warn(error, request, request_id)
        return told.problem(request_id)

    @staticmethod
    def _warn(error: Exception, request: web.Request, request_id: str) -> None:
        log.warning("%s %s [%s]: %s", request.method, request.path, request_id, said(error))


def _sees_all(request: web.Request) -> bool:
    """Whether it is told what names hosts, roles, and what belongs to others: who sees all tenants
    may know it, nobody else."""
    asker = request.get(ASKER)
    return asker is not None and asker.tenants is None


def _headers(error: RefusedError) -> dict[str, str]:
    headers = dict(error.headers)
    if error.after:
        headers["Retry-After"] = str(error.after)
    return headers | ({"WWW-Authenticate": "Bearer"} if error.status == 401 else {})


def _of_http(error: web.HTTPException) -> RefusedError:
    """What aiohttp, or a door that answers no JSON, says of a request."""
    kind, said = _OF_HTTP.get(error.status, (None, error.reason))
    own = error.reason != HTTPStatus(error.status).phrase
    field = "Authorization" if error.status == 401 else ""
    detail = error.reason if own else said
    return RefusedError(detail, status=error.status, kind=kind, field=field)


_OF_HTTP = {
    401: (
        kinds.TOKEN_NEEDED,
        "a valid token is needed: Authorization: Bearer TOKEN, or X-API-Key: TOKEN",
    ),
    404: (kinds.NO_SUCH_PATH, "there is no such path"),
    405: (kinds.NO_SUCH_METHOD, "this path has no such method"),
    413: (kinds.TOO_LARGE, "the body is too large"),
}
