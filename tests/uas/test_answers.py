"""
Tests for L{siprec.uas.answers}.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from siprec.sip.flow import Flow
from siprec.sip.headers import Headers
from siprec.sip.interfaces import IServerTransaction
from siprec.sip.message import Request, Response
from siprec.uas.answers import Answers


@implementer(IServerTransaction)
@define(eq=False)
class _Transaction:
    """
    An INVITE whose answers are kept.
    """

    request: Request
    flow: Flow = field(factory=lambda: Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.7", 5060)))
    toTag: str = "ours"
    answered: bool = False
    answers: list[Response] = field(factory=list)

    @property
    def received(self) -> Request:
        """
        See L{IServerTransaction.received}.
        """
        return self.request

    def respond(self, response: Response) -> None:
        """
        See L{IServerTransaction.respond}.
        """
        self.answers.append(response)

    def defer(self, seconds: float, onSlow: Callable[[], None] | None = None) -> None:
        """
        See L{IServerTransaction.defer}.
        """

    def trying(self) -> None:
        """
        See L{IServerTransaction.trying}.
        """

    def repeat(self) -> None:
        """
        See L{IServerTransaction.repeat}.
        """


def _invite(number: int) -> tuple[_Transaction, Response]:
    headers = Headers([("CSeq", f"{number} INVITE")])
    return _Transaction(Request("INVITE", "sip:h", headers)), Response(200, "OK", headers)


class AnswersTests(SynchronousTestCase):
    """
    The answers of one dialog.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.given: list[float] = []
        self.answers = Answers(self.clock, lambda: self.given.append(self.clock.seconds()))

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_interface(self) -> None:
        """
        The transaction here has all that the interface names.
        """
        verifyObject(IServerTransaction, _invite(1)[0])

    def test_repeated(self) -> None:
        """
        The same answer goes out again until the ACK, which is awaited once.
        """
        transaction, response = _invite(1)
        self.answers.send(transaction, response)
        self.clock.pump([0.5, 1.0, 2.0])
        self.assertEqual(transaction.answers, [response] * 4)
        self.assertTrue(self.answers.acknowledged(1))
        self.assertFalse(self.answers.acknowledged(1))

    def test_unacknowledged(self) -> None:
        """
        After 64*T1 it is told, once.
        """
        transaction, response = _invite(1)
        self.answers.send(transaction, response)
        self.clock.pump([0.5] * 100)
        self.assertEqual(self.given, [32.0])

    def test_J1_laterOne(self) -> None:
        """
        The ACK to a later INVITE ends the repetition of an earlier answer; each
        answer goes out on its own transaction.
        """
        first, second = _invite(1), _invite(2)
        self.answers.send(*first)
        self.answers.send(*second)
        self.clock.pump([0.5])
        self.assertEqual((first[0].answers, second[0].answers), ([first[1]] * 2, [second[1]] * 2))
        self.assertTrue(self.answers.acknowledged(2))
        self.clock.pump([0.5] * 100)
        self.assertEqual((len(first[0].answers), self.given), (2, []))

    def test_held(self) -> None:
        """
        What another process was to repeat is awaited from the first moment,
        and is sent and repeated once it is released.
        """
        transaction, response = _invite(1)
        self.answers.hold(transaction, response)
        self.assertTrue(self.answers.waiting)
        self.clock.advance(10)
        self.assertEqual(transaction.answers, [])
        self.answers.release()
        self.clock.pump([0.5, 1.0])
        self.assertEqual(transaction.answers, [response] * 3)
        self.assertTrue(self.answers.acknowledged(1))

    def test_heldAndAcknowledged(self) -> None:
        """
        What is acknowledged before it is released is not sent again; a later
        one is.
        """
        first, second = _invite(1), _invite(2)
        self.answers.hold(*first)
        self.answers.hold(*second)
        self.assertTrue(self.answers.acknowledged(1))
        self.answers.release()
        self.assertEqual((first[0].answers, second[0].answers), ([], [second[1]]))
        self.answers.stop()

    def test_heldAndStopped(self) -> None:
        """
        The end of the dialog ends what is held, too.
        """
        transaction, response = _invite(1)
        self.answers.hold(transaction, response)
        self.answers.stop()
        self.answers.release()
        self.assertEqual((transaction.answers, self.answers.waiting), ([], False))

    def test_stop(self) -> None:
        """
        The end of the dialog ends all of it.
        """
        transaction, response = _invite(1)
        self.answers.send(transaction, response)
        self.answers.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertFalse(self.answers.acknowledged(1))

    def test_stoppedByCallback(self) -> None:
        """
        Whoever is told that there is no ACK may stop everything at once.
        """
        answers = Answers(self.clock, lambda: answers.stop())
        answers.send(*_invite(1))
        self.clock.pump([0.5] * 100)
