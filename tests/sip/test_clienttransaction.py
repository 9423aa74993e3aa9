"""
Tests for L{siprec.sip.clienttransaction}.
"""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.clienttransaction import (
    Client,
    InviteClient,
    NonInviteClient,
    ackFor,
    cancelFor,
    inviteClient,
    nonInviteClient,
)
from siprec.sip.headers import Headers
from siprec.sip.message import Request
from siprec.sip.transaction import (
    LIFETIME,
    T1,
    T2,
    T4,
    Deliver,
    Effects,
    Finished,
    Send,
    StartTimer,
    StopTimer,
    TimedOut,
    TransportFailed,
)
from tests.sip.traffic import BRANCH, answer, request
from tests.sip.vectors import PROPERTY

INVITE = request(
    more=(
        ("Route", "<sip:p1.example.com;lr>"),
        ("Route", "<sip:p2.example.com;lr>"),
        ("Authorization", 'Digest username="a"'),
        ("Contact", "<sip:srs@192.0.2.9>"),
        ("Subject", "private"),
    )
)
BYE = request("BYE", toTag="x")
RINGING = answer(INVITE, 180)
OK = answer(INVITE, 200)
BUSY = answer(INVITE, 486)
ACK = Send(ackFor(INVITE, BUSY).serialize())


class AckTests(SynchronousTestCase):
    """
    Requests that belong to the transaction of another one.
    """

    def test_ack(self) -> None:
        """
        The ACK to a rejection has the URI, the topmost Via, From, Call-ID,
        CSeq number, Route and credentials of the INVITE, the To of the
        response, and nothing else of the INVITE (RFC 3261 sections 17.1.1.3 and 22.1).
        """
        vias = ("SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKtop", "SIP/2.0/UDP 192.0.2.8;branch=z9hG4bKx")
        invite = Request("INVITE", INVITE.uri, INVITE.headers.replacing("Via", *vias), b"body")
        ack = ackFor(invite, BUSY)
        expected = [
            ("Via", vias[0]),
            ("Route", "<sip:p1.example.com;lr>"),
            ("Route", "<sip:p2.example.com;lr>"),
            ("Max-Forwards", "70"),
            ("From", "<sip:src@192.0.2.7>;tag=src1"),
            ("To", "<sip:srs@192.0.2.9>;tag=srs1"),
            ("Call-ID", "call-1"),
            ("CSeq", "2 ACK"),
            ("Authorization", 'Digest username="a"'),
        ]
        self.assertEqual(ack, Request("ACK", INVITE.uri, Headers(expected)))

    def test_cancel(self) -> None:
        """
        CANCEL has the branch, the To and the CSeq number of its INVITE, and no
        credentials (RFC 3261 section 9.1).
        """
        cancel = cancelFor(INVITE)
        self.assertEqual(cancel.method, "CANCEL")
        self.assertEqual(cancel.via.branch, BRANCH)
        self.assertEqual(str(cancel.cseq), "2 CANCEL")
        self.assertIsNone(cancel.toTag)
        self.assertEqual(len(cancel.headers.getAll("Route")), 2)
        self.assertNotIn("Authorization", cancel.headers)


class InviteClientTests(SynchronousTestCase):
    """
    The INVITE client transaction (RFC 3261 section 17.1.1, RFC 6026).
    """

    def started(self, reliable: bool = False) -> InviteClient:
        """
        An INVITE that has been sent.
        """
        tx = inviteClient(INVITE, reliable)
        tx.start()
        return tx

    def test_start(self) -> None:
        """
        The INVITE is sent; B runs everywhere, A where the transport may lose it.
        """
        first = [Send(INVITE.serialize()), StartTimer("B", LIFETIME)]
        self.assertEqual(inviteClient(INVITE, False).start(), [*first, StartTimer("A", T1)])
        self.assertEqual(inviteClient(INVITE, True).start(), first)

    def test_retransmit(self) -> None:
        """
        Timer A doubles, without a bound.
        """
        tx = self.started()
        for seconds in (1.0, 2.0, 4.0, 8.0, 16.0):
            expected = [Send(INVITE.serialize()), StartTimer("A", seconds)]
            self.assertEqual(tx.timerA(), expected)

    def test_timeout(self) -> None:
        """
        With no response at all in 64*T1 the INVITE has failed.
        """
        self.assertEqual(self.started().timerB(), [Finished(), TimedOut()])

    def test_provisional(self) -> None:
        """
        A provisional response ends the retransmission and the time limit; each
        goes to the user.
        """
        tx = self.started()
        self.assertEqual(
            tx.provisional(RINGING), [StopTimer("A"), StopTimer("B"), Deliver(RINGING)]
        )
        self.assertEqual(tx.provisional(RINGING), [Deliver(RINGING)])
        self.assertEqual(tx.timerA(), [])
        self.assertEqual(tx.timerB(), [])

    def test_accepted(self) -> None:
        """
        Each 2xx goes to the user, for 64*T1 (RFC 6026 section 7.2).
        """
        for early in (False, True):
            tx = self.started()
            if early:
                tx.provisional(RINGING)
            self.assertEqual(
                tx.accepted(OK),
                [StopTimer("A"), StopTimer("B"), StartTimer("M", LIFETIME), Deliver(OK)],
            )
            self.assertEqual(tx.accepted(OK), [Deliver(OK)])
            self.assertEqual(tx.rejected(BUSY), [])
            self.assertEqual(tx.timerM(), [Finished()])

    def test_rejected(self) -> None:
        """
        A rejection is acknowledged by the transaction, each time it comes, and
        goes to the user once.
        """
        for reliable, seconds in ((False, LIFETIME), (True, 0.0)):
            tx = self.started(reliable)
            self.assertEqual(
                tx.rejected(BUSY),
                [StopTimer("A"), StopTimer("B"), ACK, StartTimer("D", seconds), Deliver(BUSY)],
            )
            self.assertEqual(tx.rejected(BUSY), [ACK])
            self.assertEqual(tx.accepted(OK), [])
            self.assertEqual(tx.timerD(), [Finished()])

    def test_transportFailure(self) -> None:
        """
        What cannot be sent has failed; but not what is accepted already.
        """
        over: Effects = [Finished(), TransportFailed()]
        self.assertEqual(self.started().transportFailed(), over)
        tx = self.started()
        tx.rejected(BUSY)
        self.assertEqual(tx.transportFailed(), over)
        tx = self.started()
        tx.accepted(OK)
        self.assertEqual(tx.transportFailed(), [])


class NonInviteClientTests(SynchronousTestCase):
    """
    The non-INVITE client transaction (RFC 3261 section 17.1.2).
    """

    def started(self, reliable: bool = False) -> NonInviteClient:
        """
        A request that has been sent.
        """
        tx = nonInviteClient(BYE, reliable)
        tx.start()
        return tx

    def test_start(self) -> None:
        """
        The request is sent; F runs everywhere, E where the transport may lose it.
        """
        first = [Send(BYE.serialize()), StartTimer("F", LIFETIME)]
        self.assertEqual(nonInviteClient(BYE, False).start(), [*first, StartTimer("E", T1)])
        self.assertEqual(nonInviteClient(BYE, True).start(), first)

    def test_retransmit(self) -> None:
        """
        Timer E doubles up to T2, and is T2 after a provisional response.
        """
        tx = self.started()
        for seconds in (1.0, 2.0, 4.0, T2):
            expected = [Send(BYE.serialize()), StartTimer("E", seconds)]
            self.assertEqual(tx.timerE(), expected)
        tx = self.started()
        self.assertEqual(tx.provisional(RINGING), [Deliver(RINGING)])
        self.assertEqual(tx.provisional(RINGING), [Deliver(RINGING)])
        self.assertEqual(tx.timerE(), [Send(BYE.serialize()), StartTimer("E", T2)])

    def test_timeout(self) -> None:
        """
        With no final response in 64*T1 the request has failed, even after a
        provisional one.
        """
        self.assertEqual(self.started().timerF(), [Finished(), TimedOut()])
        tx = self.started()
        tx.provisional(RINGING)
        self.assertEqual(tx.timerF(), [Finished(), TimedOut()])

    def test_final(self) -> None:
        """
        A final response goes to the user once; copies are absorbed for T4 at UDP.
        """
        for reliable, seconds in ((False, T4), (True, 0.0)):
            for response, give in ((OK, Client.accepted), (BUSY, Client.rejected)):
                tx = self.started(reliable)
                final = getattr(tx, give.__name__)
                self.assertEqual(
                    final(response),
                    [StopTimer("E"), StopTimer("F"), StartTimer("K", seconds), Deliver(response)],
                )
                self.assertEqual(final(response), [])
                self.assertEqual(tx.timerK(), [Finished()])

    def test_transportFailure(self) -> None:
        """
        What cannot be sent has failed.
        """
        self.assertEqual(self.started().transportFailed(), [Finished(), TransportFailed()])


_COMMON: dict[str, Callable[[Client], Effects]] = {
    "start": lambda tx: tx.start(),
    "provisional": lambda tx: tx.provisional(RINGING),
    "accepted": lambda tx: tx.accepted(OK),
    "rejected": lambda tx: tx.rejected(BUSY),
    "transportFailed": lambda tx: tx.transportFailed(),
}


class AnyOrderTests(SynchronousTestCase):
    """
    A peer and the clock may give any input at any time.
    """

    def _give(self, tx: Client, names: list[str]) -> None:
        seen: Effects = []
        for name in names:
            give = _COMMON.get(name)
            seen += give(tx) if give else getattr(tx, name)()
        self.assertLessEqual(seen.count(Finished()), 1)

    @PROPERTY
    @given(
        st.lists(
            st.sampled_from([*sorted(_COMMON), "timerA", "timerB", "timerD", "timerM"]),
            max_size=20,
        )
    )
    def test_invite(self, names: list[str]) -> None:
        """
        No order of inputs raises, and none ends a transaction twice.
        """
        self._give(inviteClient(INVITE, False), names)

    @PROPERTY
    @given(st.lists(st.sampled_from([*sorted(_COMMON), "timerE", "timerF", "timerK"]), max_size=20))
    def test_nonInvite(self, names: list[str]) -> None:
        """
        No order of inputs raises, and none ends a transaction twice.
        """
        self._give(nonInviteClient(BYE, False), names)

    def test_everyInputEverywhere(self) -> None:
        """
        Each input has a meaning in each state, even where it has no effect.
        """
        none: list[str] = []
        invitePaths = (none, ["start"], ["start", "provisional"], ["start", "accepted"])
        more = (["start", "rejected"], ["start", "timerB"])
        for path in (*invitePaths, *more):
            for name in [*_COMMON, "timerA", "timerB", "timerD", "timerM"]:
                self._give(inviteClient(INVITE, False), [*path, name])
        for path in (none, ["start"], ["start", "provisional"], ["start", "accepted"], more[0]):
            for name in [*_COMMON, "timerE", "timerF", "timerK"]:
                self._give(nonInviteClient(BYE, False), [*path, name])
