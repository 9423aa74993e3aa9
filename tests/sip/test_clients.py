"""
Tests for L{siprec.sip.clients}.
"""

from collections import Counter

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.clients import ClientTransactions
from siprec.sip.interfaces import Abandoned, FlowGone
from siprec.sip.message import Request, Response
from siprec.sip.runner import Surroundings
from tests.sip.traffic import TCP, UDP, Wire, answer, request


class ClientTransactionsTests(SynchronousTestCase):
    """
    Requests on a wire.
    """

    def setUp(self) -> None:
        self.clock, self.wire = Clock(), Wire()
        self.counters: Counter[str] = Counter()
        around = Surroundings(self.clock, self.wire, self.counters, Counter())
        self.clients = ClientTransactions(around)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(self.clients.stop)

    def ask(self, method: str = "UPDATE") -> Request:
        """
        @return: a request without Via, as a dialog makes it.
        """
        asked = request(method, toTag="t")
        return Request(method, asked.uri, asked.headers.without("Via"))

    def test_found(self) -> None:
        """
        Each response goes to the request that it answers; one that answers
        none is counted.
        """
        first = self.clients.send(self.ask(), TCP)
        second = self.clients.send(self.ask(), TCP)
        sent, other = [each for each in self.wire.take() if isinstance(each, Request)]
        self.assertNotEqual(sent.via.branch, other.via.branch)
        self.clients.received(answer(other, 200))
        self.assertEqual(self.successResultOf(second).status, 200)
        self.assertNoResult(first)
        self.clients.received(answer(request(), 200))
        self.assertEqual(self.counters["strayResponses"], 1)
        self.clients.received(answer(sent, 404))
        self.assertEqual(self.successResultOf(first).status, 404)

    def test_ended(self) -> None:
        """
        What is over is forgotten.
        """
        self.clients.send(self.ask(), TCP)
        self.assertEqual(len(self.clients), 1)
        [sent] = self.wire.take()
        assert isinstance(sent, Request)
        self.clients.received(answer(sent, 200))
        self.clock.advance(5)
        self.assertEqual(len(self.clients), 0)

    def test_provisional(self) -> None:
        """
        Who wants to see provisional responses does.
        """
        seen: list[Response] = []
        self.clients.send(self.ask("INVITE"), TCP, seen.append).addErrback(lambda _: None)
        [sent] = self.wire.take()
        assert isinstance(sent, Request)
        self.clients.received(answer(sent, 180))
        self.assertEqual([response.status for response in seen], [180])

    def test_abandonDialog(self) -> None:
        """
        Only the requests of that dialog are given up.
        """
        asked = self.ask()
        result = self.clients.send(asked, TCP)
        self.clients.abandonDialog(asked.callID, asked.fromTag or "", "another")
        self.assertNoResult(result)
        self.clients.abandonDialog(asked.callID, asked.fromTag or "", "t")
        self.failureResultOf(result, Abandoned)

    def test_stop(self) -> None:
        """
        At the end nothing is waited for any more.
        """
        result = self.clients.send(self.ask(), UDP)
        self.clients.stop()
        self.failureResultOf(result, FlowGone)
        self.assertEqual(len(self.clients), 0)
