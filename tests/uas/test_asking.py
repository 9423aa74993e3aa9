"""
Tests of L{siprec.uas.asking}.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.auth import Elsewhere, Why
from siprec.uas.asking import Asking, NobodyToAsk


class AskingTests(SynchronousTestCase):
    """
    A question to another node, and what waits for the answer.
    """

    def setUp(self) -> None:
        self.asked: list[Deferred[bool]] = []
        self.decided: list[Why | None] = []
        self.done: list[str] = []
        self.asking = Asking(self.ask)

    def ask(self, found: Elsewhere) -> Deferred[bool]:
        """
        Put a question to the test.
        """
        answer: Deferred[bool] = Deferred()
        self.asked.append(answer)
        return answer

    def begin(
        self, callID: str = "one", decide: Callable[[Why | None], None] | None = None
    ) -> None:
        """
        Have a request judged.
        """
        found = Elsewhere("ann", bytes(8), "nonce", 1, None)
        self.asking.begin(callID, found, decide or self.decided.append)

    def delays(self, name: str, callID: str = "one") -> bool:
        """
        A request comes.
        """
        return self.asking.delays(callID, lambda: self.done.append(name))

    def test_answers(self) -> None:
        """
        Good, used before, or not known: the last is no fault of the peer's.
        """
        for _ in range(3):
            self.begin()
            [answer, *_] = self.asked[-1:]
            kind = len(self.asked)
            if kind == 3:
                answer.errback(NobodyToAsk())
            else:
                answer.callback(kind == 1)
        self.assertEqual(self.decided, [None, "replayedNonce", "staleNonce"])

    def test_alone(self) -> None:
        """
        Without other nodes nobody knows.
        """
        self.asking = Asking()
        self.begin()
        self.assertEqual(self.decided, ["staleNonce"])

    def test_order(self) -> None:
        """
        Requests of the same call wait behind it, those of others do not.
        """
        self.assertFalse(self.asking.busy or self.delays("before"))
        self.begin()
        self.assertTrue(self.asking.busy)
        self.assertFalse(self.delays("other", "two"))
        self.assertTrue(self.delays("first") and self.delays("second"))
        self.assertEqual(self.done, [])
        self.asked[0].callback(True)
        self.assertEqual((self.decided, self.done), ([None], ["first", "second"]))
        self.assertFalse(self.delays("after"))

    def test_again(self) -> None:
        """
        If one of them has to be judged in its turn, the rest waits for that.
        """
        self.begin()
        self.asking.delays("one", self.begin)
        self.delays("last")
        self.asked[0].callback(True)
        self.assertEqual((len(self.asked), self.done), (2, []))
        self.asked[1].callback(False)
        self.assertEqual(self.decided, [None, "replayedNonce"])
        self.assertEqual(self.done, ["last"])

    def test_bounded(self) -> None:
        """
        Only so many calls are asked about, and only so many requests wait.
        """
        self.begin()
        for number in range(20):
            self.assertTrue(self.delays(str(number)))
        for number in range(250):
            self.begin(f"call{number}")
        self.assertEqual((len(self.asked), self.decided), (200, ["staleNonce"] * 51))
        self.asked[0].callback(True)
        self.assertEqual(len(self.done), 16)

    def test_failure(self) -> None:
        """
        If something breaks, that is logged, and the others go on.
        """

        def broken(why: Why | None) -> None:
            raise ZeroDivisionError

        self.begin(decide=broken)
        self.delays("next")
        self.asked[0].callback(True)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.done, ["next"])
