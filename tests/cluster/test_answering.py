"""
Tests of L{siprec.cluster.answering}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.answering import MAX_REQUESTS, Answering
from siprec.cluster.errors import UnknownKind
from siprec.cluster.wire import Answer, Failed, FrameReader, Message
from tests.cluster.linkcase import A


class AnsweringTests(SynchronousTestCase):
    """
    The requests of one peer.
    """

    def setUp(self) -> None:
        self.result: Any = None
        self.room = True
        self.said: list[Message] = []
        self.answering = Answering(
            lambda peer, kind, body: self.result(peer, kind, body), self.reply, self.refuse
        )

    def reply(self, data: bytes) -> bool:
        """
        Take an answer, if there is room.
        """
        if self.room:
            self.said.extend(FrameReader().feed(data))
        return self.room

    def refuse(self, data: bytes) -> None:
        """
        Take a failure.
        """
        self.said.extend(FrameReader().feed(data))

    def test_value(self) -> None:
        """
        A value, what a Deferred brings and what a coroutine returns, is the answer.
        """
        later: Deferred[int] = Deferred()

        async def coroutine(peer: Any, kind: str, body: Any) -> Any:
            return body

        for number, result in enumerate((lambda *asked: "now", lambda *asked: later, coroutine)):
            self.result = result
            self.answering.work(A, "k", "body", number)
        self.assertEqual(self.said, [Answer(0, "now"), Answer(2, "body")])
        self.assertEqual(self.answering.underWay, 1)
        later.callback(5)
        self.assertEqual(self.said[2:], [Answer(1, 5)])
        self.assertEqual(self.answering.underWay, 0)

    def raising(self, error: Exception) -> None:
        """
        From now on raise this.
        """

        def answer(*asked: Any) -> None:
            raise error

        self.result = answer

    def test_error(self) -> None:
        """
        An error is told by its class and text, without a traceback, and logged with it.
        """
        self.raising(KeyError("k"))
        self.answering.work(A, "k", None, 1)
        self.answering.work(A, "k", None, None)
        self.assertEqual(self.said, [Failed(1, "KeyError", "'k'")])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 2)

    def test_refusal(self) -> None:
        """
        To say no is no error here.
        """
        self.raising(UnknownKind("k"))
        with capturedLogs() as events:
            self.answering.work(A, "k", None, 1)
        self.assertEqual(self.said, [Failed(1, "UnknownKind", "k")])
        self.assertEqual([event["log_level"] for event in events], [LogLevel.debug])

    def test_full(self) -> None:
        """
        An answer for which there is no room becomes a failure.
        """
        self.room, self.result = False, lambda *asked: b"big"
        self.answering.work(A, "k", None, 1)
        self.assertEqual(self.said, [Failed(1, "LinkBusy", "you do not take what was sent")])

    def test_bound(self) -> None:
        """
        Beyond 256 at a time requests are refused; those that end make room.
        """
        later: Deferred[int] = Deferred()
        self.result = lambda *asked: later
        for number in range(MAX_REQUESTS):
            self.answering.work(A, "k", None, number)
        self.answering.work(A, "k", None, 1000)
        self.answering.work(A, "k", None, None)
        self.assertEqual([type(each) for each in self.said], [Failed])
        later.callback(1)
        self.result = lambda *asked: 2
        self.answering.work(A, "k", None, 1001)
        self.assertEqual(self.said[-1], Answer(1001, 2))
