"""
Tests of L{siprec.uas.intake}.
"""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.sip.errors import BadMessage
from siprec.sip.flow import Flow
from siprec.sip.headers import Headers
from siprec.sip.interfaces import IMessageReceiver
from siprec.sip.message import Request, Response
from siprec.uas.intake import Intake
from tests.turnclock import TurnClock

FLOW = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.9", 5060))


def request(method: str, call: str, tag: str = "", branch: str = "") -> Request:
    """
    @return: a request of one call.
    """
    headers = [
        ("Via", f"SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK{branch or call}"),
        ("From", "<sip:a@example.com>;tag=1"),
        ("To", f"<sip:b@example.com>{tag}"),
        ("Call-ID", call),
        ("CSeq", f"1 {'INVITE' if method == 'CANCEL' else method}"),
    ]
    return Request(method, "sip:b@example.com", Headers(headers))


class IntakeTests(SynchronousTestCase):
    """
    A door that takes its time for each new call.
    """

    def setUp(self) -> None:
        self.clock = TurnClock()
        self.told: list[str] = []
        self.cost = 0.005
        self.broken = False
        self.intake = Intake(self.clock, self)

    # What stands behind the intake.

    def messageReceived(self, message: Request | Response, flow: Flow) -> None:
        """
        See L{siprec.uas.intake.Door}.
        """
        name = f"{message.method} {message.callID}" if isinstance(message, Request) else "answer"
        self.told.append(name)
        if name.startswith("INVITE"):
            self.clock.rightNow += self.cost
        if self.broken:
            raise ValueError("bug")

    def badMessage(self, error: BadMessage, flow: Flow) -> None:
        """
        See L{siprec.uas.intake.Door}.
        """
        self.told.append("bad")

    def waits(self, request: Request, flow: Flow) -> None:
        """
        See L{siprec.uas.intake.Door}.
        """
        self.told.append(f"waits {request.callID}")

    def tooLate(self, request: Request, flow: Flow) -> None:
        """
        See L{siprec.uas.intake.Door}.
        """
        self.told.append(f"late {request.callID}")

    # What peers do.

    def send(self, *messages: Request | Response) -> list[str]:
        """
        @return: what was told of these messages, which come in one turn of the reactor.
        """
        self.told.clear()
        for each in messages:
            self.intake.messageReceived(each, FLOW)
        return list(self.told)

    def turn(self) -> list[str]:
        """
        @return: what is told in the next turn of the reactor.
        """
        self.told.clear()
        self.clock.turn()
        return list(self.told)

    def invites(self, *calls: str) -> list[Request]:
        """
        @return: INVITEs of new calls.
        """
        return [request("INVITE", each) for each in calls]

    def test_provides(self) -> None:
        """
        It stands where a receiver of messages does.
        """
        self.assertTrue(verifyObject(IMessageReceiver, self.intake))

    def test_quick(self) -> None:
        """
        What costs no time is taken at once, however much it is, and leaves nothing to do.
        """
        self.cost = 0
        self.assertEqual(len(self.send(*self.invites(*"abcdefgh"))), 8)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.intake.messages, 8)

    def test_order(self) -> None:
        """
        New calls have part of each turn, in their order; what belongs to others, answers
        and what is no message are told at once.
        """
        answer = Response(200, "OK", request("INVITE", "a").headers)
        told = self.send(
            *self.invites(*"abcde"),
            request("ACK", "x", ";tag=2"),
            request("BYE", "y", ";tag=2"),
            request("INVITE", "z", ";tag=2"),
            request("OPTIONS", "o"),
            answer,
        )
        first = ["INVITE a", "INVITE b"]
        self.assertEqual(told, [*first, "ACK x", "BYE y", "INVITE z", "OPTIONS o", "answer"])
        self.intake.badMessage(BadMessage("no message"), FLOW)
        self.assertEqual(self.told[-1], "bad")
        self.assertEqual(len(self.intake), 3)
        self.assertEqual(self.turn(), ["INVITE c", "INVITE d"])
        self.assertEqual(self.turn(), ["INVITE e"])
        self.assertEqual(self.turn(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancel(self) -> None:
        """
        A CANCEL does not come before the INVITE that it is for.
        """
        self.assertEqual(self.send(request("CANCEL", "q")), ["CANCEL q"])
        self.send(*self.invites(*"abc"), request("CANCEL", "c"))
        self.assertEqual(self.turn(), ["INVITE c", "CANCEL c"])

    def test_copies(self) -> None:
        """
        Of an INVITE that waits a copy says nothing new.
        """
        self.send(*self.invites(*"abccc"))
        self.assertEqual(len(self.intake), 1)
        self.assertEqual(self.turn(), ["INVITE c"])
        self.assertEqual(self.turn(), [])

    def test_late(self) -> None:
        """
        Who has waited for too long is refused, and so are copies, even when there is time
        again: their peer has been told so.
        """
        self.intake.patience = 3
        self.send(*self.invites(*"abcde"))
        self.clock.rightNow += 3.5
        self.assertEqual(self.intake.waited, 3.5)
        self.assertEqual(self.turn(), ["late c", "late d", "late e"])
        self.assertEqual(self.intake.waited, 0)
        self.clock.turn(10)
        self.assertEqual(self.send(*self.invites("c")), ["late c"])
        self.send(*self.invites("f"))
        self.assertEqual(self.turn(), ["INVITE f"])
        self.send(request("INVITE", "c", branch="other"))
        self.assertEqual(self.turn(), ["INVITE c"])
        self.clock.turn(32)
        self.assertEqual(self.send(*self.invites("c")), ["INVITE c"])

    def test_waits(self) -> None:
        """
        Who comes while others have waited for a moment is told to wait, too, once; there is
        nothing to be said to a CANCEL.
        """
        self.assertEqual(self.send(*self.invites(*"abc")), ["INVITE a", "INVITE b"])
        self.clock.rightNow += 0.25
        sent = self.send(*self.invites(*"dd"), request("CANCEL", "d"))
        self.assertEqual(sent, ["waits d"])

    def test_forever(self) -> None:
        """
        Without a limit nobody is refused.
        """
        self.send(*self.invites(*"abc"))
        self.clock.rightNow += 100
        self.assertEqual(self.turn(), ["INVITE c"])

    def test_many(self) -> None:
        """
        Only so many wait; and only so many that were refused are known again.
        """
        self.send(*self.invites(*map(str, range(5002))))
        self.assertEqual((len(self.intake), self.told[-1]), (5000, "INVITE 1"))
        found = self.send(*self.invites(*map(str, range(6000, 11001))))
        self.assertEqual(found[0], "late 6000")
        self.assertEqual(len(found), 5001)
        self.assertEqual(len(self.intake), 5000)
        self.clock.turn()
        self.assertEqual(self.send(*self.invites("6000")), [])

    def test_bug(self) -> None:
        """
        What goes wrong with one call does not keep others from their turn.
        """
        self.send(*self.invites(*"abcd"))
        self.broken = True
        self.assertRaises(ValueError, self.clock.turn)
        self.broken = False
        self.assertEqual(self.turn(), ["INVITE d"])

    def test_sameTurn(self) -> None:
        """
        A turn that has had its part of new calls takes no more until the next one.
        """
        self.cost = 0.01
        self.assertEqual(self.send(*self.invites(*"ab")), ["INVITE a"])
        self.assertEqual(self.turn(), ["INVITE b"])
        self.assertEqual(self.send(evolve(request("INVITE", "c"))), [])
        self.assertEqual(self.turn(), ["INVITE c"])
