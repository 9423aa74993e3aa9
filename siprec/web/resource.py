"""
Resources that speak JSON, in success and in failure.
"""

import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, ClassVar, NoReturn

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

JSON = b"application/json"

Parameters = Mapping[str, str]


@frozen
class Answer:
    """
    What is sent back.

    @ivar content: what becomes JSON, or bytes that go out as they are.
    """

    content: object
    status: int = 200
    contentType: bytes = JSON
    headers: Sequence[tuple[bytes, bytes]] = ()

    def body(self) -> bytes:
        if isinstance(self.content, bytes):
            return self.content
        # ASCII only: header text can hold surrogates, which no UTF-8 can.
        return json.dumps(self.content, allow_nan=False).encode("ascii") + b"\n"


class Refusal(Exception):
    """
    A request that is not carried out.

    @ivar status: of HTTP.
    @ivar error: a short name that programs can compare.
    @ivar detail: what a person should know.
    """

    def __init__(
        self, status: int, error: str, detail: str, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        super().__init__(status, error, detail)
        self.status, self.error, self.detail, self.headers = status, error, detail, headers

    def answer(self) -> Answer:
        content = {"error": self.error, "detail": self.detail}
        return Answer(content, self.status, headers=self.headers)


Respond = Callable[[IRequest], Coroutine[Any, Any, Answer]]


def _encoded(answer: Answer) -> tuple[Answer, bytes]:
    return answer, answer.body()


@frozen
class _Reply:
    """
    One request on its way to exactly one answer.
    """

    _request: Any
    _log: Logger
    _gone: list[Failure] = field(factory=list)

    def begin(self, respond: Respond) -> None:
        self._request.notifyFinish().addErrback(self._gone.append)
        answered = Deferred.fromCoroutine(respond(self._request)).addCallback(_encoded)
        answered.addErrback(self._refuse).addCallback(self._send).addErrback(self._unsent)

    def _refuse(self, failure: Failure) -> tuple[Answer, bytes]:
        if isinstance(failure.value, Refusal):
            return _encoded(failure.value.answer())
        self._logFailure("HTTP {method} {path}: failed", failure)
        detail = "The log of this node says why."
        return _encoded(Refusal(500, "internal-error", detail).answer())

    def _send(self, encoded: tuple[Answer, bytes]) -> None:
        # The peer may have left while we looked; then there is no one to tell.
        if self._gone:
            return
        answer, body = encoded
        request = self._request
        request.setResponseCode(answer.status)
        request.setHeader(b"content-type", answer.contentType)
        request.setHeader(b"content-length", b"%d" % len(body))
        request.setHeader(b"cache-control", b"no-store")
        for name, value in answer.headers:
            request.setHeader(name, value)
        if request.method != b"HEAD":
            request.write(body)
        request.finish()

    def _unsent(self, failure: Failure) -> None:
        self._logFailure("HTTP {method} {path}: the answer was not sent", failure)

    def _logFailure(self, what: str, failure: Failure) -> None:
        request = self._request
        self._log.failure(what, failure, method=request.method, path=request.path)


class Endpoint(Resource):
    """
    One path.  A subclass puts a method for each HTTP method it knows into
    L{methods}; HEAD follows from GET.
    """

    _log = Logger()

    #: Names of methods, by HTTP method.
    methods: ClassVar[Mapping[str, str]] = {}

    def getChild(self, path: bytes, request: IRequest) -> Resource:
        """
        Nothing lies below this path.
        """
        return Missing()

    def render(self, request: IRequest) -> int:
        """
        Answer, at once or later.
        """
        _Reply(request, self._log).begin(self._dispatch)
        return NOT_DONE_YET

    async def _dispatch(self, request: IRequest) -> Answer:
        method = bytes(request.method).decode("ascii", "replace")
        name = self.methods.get("GET" if method == "HEAD" else method)
        if name is None:
            self.refuseMethod(method)
        answer: Answer | Deferred[Answer] = getattr(self, name)(request)
        return await answer if isinstance(answer, Deferred) else answer

    def refuseMethod(self, method: str) -> NoReturn:
        """
        @raise Refusal: always.
        """
        allowed = [*self.methods, *(["HEAD"] if "GET" in self.methods else [])]
        allow = ", ".join(sorted(allowed))
        raise Refusal(
            405,
            "method-not-allowed",
            f"{method} is not for this path, only {allow}.",
            [(b"allow", allow.encode("ascii"))],
        )


class Missing(Endpoint):
    """
    A path that there is not.
    """

    def refuseMethod(self, method: str) -> NoReturn:
        """
        @raise Refusal: always.
        """
        raise Refusal(404, "not-found", "There is nothing at this path.")


def parameters(request: IRequest, known: Sequence[str]) -> Parameters:
    """
    @return: the query's parameters; the empty ones are left out.
    @raise Refusal: one is not known, is given twice, or is not UTF-8.
    """
    found: dict[str, str] = {}
    for rawName, rawValues in (request.args or {}).items():
        name = rawName.decode("utf-8", "backslashreplace")
        if name not in known:
            detail = f"There is no parameter {name!r}, only {', '.join(known) or 'none'}."
            raise Refusal(400, "bad-query", detail)
        if len(rawValues) != 1:
            raise Refusal(400, "bad-query", f"{name} is given more than once.")
        try:
            value = rawValues[0].decode("utf-8")
        except UnicodeDecodeError:
            raise Refusal(400, "bad-query", f"{name} is not UTF-8.") from None
        if value:
            found[name] = value
    return found


__all__ = ["JSON", "Answer", "Endpoint", "Missing", "Parameters", "Refusal", "parameters"]
