"""
Tests for L{siprec.web.resource}.
"""

from collections.abc import Mapping
from typing import ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest

from siprec.web.resource import Answer, Endpoint, Refusal, parameters
from tests.web.requests import SiteTestCase, parseReply


class Probe(Endpoint):
    """
    Answers as a test wants it.
    """

    methods: ClassVar[Mapping[str, str]] = {"GET": "show"}

    def __init__(self, answer: "Deferred[Answer] | Answer | Exception") -> None:
        super().__init__()
        self.answer = answer

    def show(self, request: IRequest) -> "Deferred[Answer] | Answer":
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Echo(Endpoint):
    """
    Answers with the parameters it was given.
    """

    methods: ClassVar[Mapping[str, str]] = {"GET": "show"}

    def show(self, request: IRequest) -> Answer:
        return Answer(dict(parameters(request, ["a", "b"])))


class EndpointTests(SiteTestCase):
    """
    From what an endpoint gives to what is sent.
    """

    def probe(self, answer: "Deferred[Answer] | Answer | Exception") -> None:
        self.site.resource.putChild(b"probe", Probe(answer))

    def test_later(self) -> None:
        """
        An answer may come later.
        """
        later: Deferred[Answer] = Deferred()
        self.probe(later)
        transport = self.send("GET", "/probe")[1]
        self.assertEqual(transport.value(), b"")
        later.callback(Answer({"a": 1}, 201, headers=[(b"x-a", b"b")]))
        reply = parseReply(transport.value())
        self.assertEqual((reply.status, reply.json), (201, {"a": 1}))
        self.assertEqual(reply.headers["x-a"], "b")

    def test_peerLeft(self) -> None:
        """
        Nobody is answered if the peer has closed its connection meanwhile.
        """
        later: Deferred[Answer] = Deferred()
        self.probe(later)
        protocol, transport = self.send("GET", "/probe")
        protocol.connectionLost(Failure(ConnectionDone()))
        later.callback(Answer({}))
        self.assertEqual(transport.value(), b"")

    def test_refusal(self) -> None:
        """
        A refusal becomes its status and C{error} and C{detail}.
        """
        self.probe(Refusal(418, "teapot", "Short and stout."))
        self.assertEqual(self.get("/probe", 418), {"error": "teapot", "detail": "Short and stout."})

    def test_unforeseen(self) -> None:
        """
        Anything else that fails is logged and gives 500 without telling the
        peer more.
        """
        later: Deferred[Answer] = Deferred()
        for answer in (ValueError("secret"), later):
            self.probe(answer)
            transport = self.send("GET", "/probe")[1]
            if answer is later:
                later.errback(ValueError("secret"))
            reply = parseReply(transport.value())
            self.assertEqual((reply.status, reply.json["error"]), (500, "internal-error"))
            self.assertNotIn(b"secret", reply.body)
            self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_notJSON(self) -> None:
        """
        Content that JSON cannot express is a failure like any other.
        """
        self.probe(Answer({"a": float("nan")}))
        self.assertEqual(self.get("/probe", 500)["error"], "internal-error")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_unsendable(self) -> None:
        """
        An answer that HTTP refuses to carry is logged; nothing is raised into
        the reactor.
        """
        self.probe(Answer({}, headers=[(b"x y", b"")]))
        self.send("GET", "/probe")
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_surrogates(self) -> None:
        """
        Header text that was no UTF-8 can be told in JSON all the same.
        """
        self.probe(Answer({"from": "\udcff\u00e9"}))
        self.assertEqual(self.get("/probe"), {"from": "\udcff\u00e9"})


class ParametersTests(SiteTestCase):
    """
    The query.
    """

    def setUp(self) -> None:
        super().setUp()
        self.site.resource.putChild(b"echo", Echo())

    def test_good(self) -> None:
        """
        Parameters are decoded; an empty one is as good as none.
        """
        self.assertEqual(self.get("/echo"), {})
        self.assertEqual(self.get("/echo?a=x%40y&b=%C3%A9"), {"a": "x@y", "b": "\u00e9"})
        self.assertEqual(self.get("/echo?a=&b=1"), {"b": "1"})

    def test_bad(self) -> None:
        """
        What is not known, given twice or no UTF-8 is refused: it would
        otherwise be taken for an answer to another question.
        """
        for query, word in (("c=1", "'c'"), ("a=1&a=2", "more than once"), ("a=%ff", "UTF-8")):
            found = self.get(f"/echo?{query}", 400)
            self.assertEqual(found["error"], "bad-query")
            self.assertIn(word, found["detail"])
