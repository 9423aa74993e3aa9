"""
Tests for L{siprec.sip.transaction}.
"""

import itertools
from collections.abc import Callable, Iterable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.transaction import (
    LIFETIME,
    T1,
    T2,
    T4,
    Deliver,
    Effects,
    Finished,
    InviteServer,
    NonInviteServer,
    Send,
    StartTimer,
    StopTimer,
    TimedOut,
    TransportFailed,
    inviteServer,
    nonInviteServer,
)
from tests.sip.traffic import request
from tests.sip.vectors import PROPERTY

ACK = request("ACK")


def accepted(reliable: bool = False) -> InviteServer:
    """
    An INVITE that was answered 2xx.
    """
    tx = inviteServer(reliable)
    tx.accepted(b"200")
    return tx


def completed(reliable: bool = False) -> InviteServer:
    """
    An INVITE that was rejected.
    """
    tx = inviteServer(reliable)
    tx.rejected(b"486")
    return tx


def confirmed(reliable: bool = False) -> InviteServer:
    """
    An INVITE that was rejected, and the rejection acknowledged.
    """
    tx = completed(reliable)
    tx.ack(ACK)
    return tx


def terminated() -> InviteServer:
    """
    An INVITE of long ago.
    """
    tx = accepted()
    tx.timerL()
    return tx


class InviteServerTests(SynchronousTestCase):
    """
    The INVITE server transaction (RFC 3261 section 17.2.1, RFC 6026).
    """

    def test_nothingToRepeat(self) -> None:
        """
        An INVITE that comes again before any response is absorbed.
        """
        self.assertEqual(inviteServer(False).again(), [])

    def test_provisionalRepeats(self) -> None:
        """
        In Proceeding a retransmitted INVITE is answered with the most recent
        provisional response.
        """
        tx = inviteServer(False)
        self.assertEqual(tx.provisional(b"100"), [Send(b"100")])
        self.assertEqual(tx.provisional(b"183"), [Send(b"183")])
        self.assertEqual(tx.again(), [Send(b"183")])

    def test_acceptedLives(self) -> None:
        """
        A 2xx leads to Accepted, which lasts 64*T1 on every transport (RFC 6026
        section 7.1).
        """
        for reliable in (False, True):
            effects = inviteServer(reliable).accepted(b"200")
            self.assertEqual(effects, [Send(b"200"), StartTimer("L", LIFETIME)])
        self.assertEqual(accepted().timerL(), [Finished()])

    def test_acceptedAbsorbsInvite(self) -> None:
        """
        In Accepted a retransmitted INVITE is absorbed in silence.
        """
        self.assertEqual(accepted().again(), [])

    def test_acceptedRepeatsForUser(self) -> None:
        """
        In Accepted each 2xx of the user is sent, as the user repeats it.
        """
        tx = accepted()
        self.assertEqual(tx.accepted(b"200"), [Send(b"200")])
        self.assertEqual(tx.accepted(b"200"), [Send(b"200")])

    def test_acceptedPassesAck(self) -> None:
        """
        In Accepted every ACK goes to the user.
        """
        tx = accepted()
        self.assertEqual(tx.ack(ACK), [Deliver(ACK)])
        self.assertEqual(tx.ack(ACK), [Deliver(ACK)])

    def test_rejectionTimers(self) -> None:
        """
        A rejection starts H everywhere, and G where the transport may lose it.
        """
        self.assertEqual(
            inviteServer(False).rejected(b"486"),
            [Send(b"486"), StartTimer("H", LIFETIME), StartTimer("G", T1)],
        )
        self.assertEqual(
            inviteServer(True).rejected(b"486"), [Send(b"486"), StartTimer("H", LIFETIME)]
        )

    def test_rejectionRepeats(self) -> None:
        """
        Timer G doubles up to T2; a retransmitted INVITE is answered as well.
        """
        tx = completed()
        for seconds in (1.0, 2.0, 4.0, T2):
            self.assertEqual(tx.timerG(), [Send(b"486"), StartTimer("G", seconds)])
        self.assertEqual(tx.again(), [Send(b"486")])

    def test_rejectionUnacknowledged(self) -> None:
        """
        Without an ACK in 64*T1 the transaction ends.
        """
        self.assertEqual(completed().timerH(), [Finished(), TimedOut()])

    def test_rejectionAcknowledged(self) -> None:
        """
        The ACK stops the repetition; further ones are absorbed for T4, or not
        at all on a reliable transport.
        """
        stops = [StopTimer("G"), StopTimer("H")]
        self.assertEqual(completed().ack(ACK), [*stops, StartTimer("I", T4)])
        self.assertEqual(completed(True).ack(ACK), [*stops, StartTimer("I", 0.0)])
        tx = confirmed()
        self.assertEqual(tx.ack(ACK), [])
        self.assertEqual(tx.again(), [])
        self.assertEqual(tx.timerI(), [Finished()])

    def test_transportFailureKeepsState(self) -> None:
        """
        A transport error must not destroy the transaction (RFC 6026 section 7.1).
        """
        tx = completed()
        self.assertEqual(tx.transportFailed(), [TransportFailed()])
        self.assertEqual(tx.again(), [Send(b"486")])
        tx = accepted()
        self.assertEqual(tx.transportFailed(), [TransportFailed()])
        self.assertEqual(tx.again(), [])

    def test_onlyOneFinal(self) -> None:
        """
        After a final response no other is sent.
        """
        self.assertEqual(accepted().rejected(b"487"), [])
        self.assertEqual(accepted().provisional(b"180"), [])
        self.assertEqual(completed().accepted(b"200"), [])
        self.assertEqual(completed().rejected(b"500"), [])

    def test_strayAck(self) -> None:
        """
        An ACK before any final response is absorbed.
        """
        self.assertEqual(inviteServer(False).ack(ACK), [])


class NonInviteServerTests(SynchronousTestCase):
    """
    The non-INVITE server transaction (RFC 3261 section 17.2.2).
    """

    def test_tryingIsSilent(self) -> None:
        """
        In Trying a retransmitted request is absorbed.
        """
        self.assertEqual(nonInviteServer(False).again(), [])

    def test_provisionalRepeats(self) -> None:
        """
        In Proceeding a retransmitted request is answered with the last 100.
        """
        tx = nonInviteServer(False)
        self.assertEqual(tx.provisional(b"100"), [Send(b"100")])
        self.assertEqual(tx.provisional(b"100b"), [Send(b"100b")])
        self.assertEqual(tx.again(), [Send(b"100b")])

    def test_finalRepeats(self) -> None:
        """
        In Completed a retransmitted request is answered with the final
        response, for 64*T1 at UDP and not at all at TCP.
        """
        for give in (NonInviteServer.accepted, NonInviteServer.rejected):
            name = give.__name__
            for reliable, seconds in ((False, LIFETIME), (True, 0.0)):
                tx = nonInviteServer(reliable)
                effects = getattr(tx, name)(b"final")
                self.assertEqual(effects, [Send(b"final"), StartTimer("J", seconds)])
                self.assertEqual(tx.again(), [Send(b"final")])
                self.assertEqual(getattr(tx, name)(b"other"), [])
                self.assertEqual(tx.timerJ(), [Finished()])
                self.assertEqual(tx.again(), [])

    def test_finalAfterProvisional(self) -> None:
        """
        A final response may follow a 100.
        """
        tx = nonInviteServer(False)
        tx.provisional(b"100")
        self.assertEqual(tx.accepted(b"200"), [Send(b"200"), StartTimer("J", LIFETIME)])

    def test_transportFailureKeepsState(self) -> None:
        """
        A transport error leaves the response to be sent again.
        """
        tx = nonInviteServer(False)
        tx.accepted(b"200")
        self.assertEqual(tx.transportFailed(), [TransportFailed()])
        self.assertEqual(tx.again(), [Send(b"200")])


_INVITE_INPUTS: dict[str, Callable[[InviteServer], Effects]] = {
    "again": lambda tx: tx.again(),
    "ack": lambda tx: tx.ack(ACK),
    "provisional": lambda tx: tx.provisional(b"1"),
    "accepted": lambda tx: tx.accepted(b"2"),
    "rejected": lambda tx: tx.rejected(b"4"),
    "transportFailed": lambda tx: tx.transportFailed(),
    "timerG": lambda tx: tx.timerG(),
    "timerH": lambda tx: tx.timerH(),
    "timerI": lambda tx: tx.timerI(),
    "timerL": lambda tx: tx.timerL(),
}
_OTHER_INPUTS: dict[str, Callable[[NonInviteServer], Effects]] = {
    "again": lambda tx: tx.again(),
    "ack": lambda tx: tx.ack(ACK),
    "provisional": lambda tx: tx.provisional(b"1"),
    "accepted": lambda tx: tx.accepted(b"2"),
    "rejected": lambda tx: tx.rejected(b"4"),
    "transportFailed": lambda tx: tx.transportFailed(),
    "timerJ": lambda tx: tx.timerJ(),
}


class EveryInputTests(SynchronousTestCase):
    """
    A peer and the clock may give any input at any time.
    """

    def test_inviteEverywhere(self) -> None:
        """
        Each input of an INVITE server transaction has a meaning in each state.
        """
        makers = [lambda: inviteServer(False), accepted, completed, confirmed, terminated]
        for make, (name, give) in itertools.product(makers, _INVITE_INPUTS.items()):
            effects = give(make())
            self.assertIsInstance(effects, list, name)

    def test_terminatedIsSilent(self) -> None:
        """
        A transaction that is over has no effects any more.
        """
        for give in _INVITE_INPUTS.values():
            self.assertEqual(give(terminated()), [])
        tx = nonInviteServer(False)
        tx.accepted(b"200")
        tx.timerJ()
        for giveOther in _OTHER_INPUTS.values():
            self.assertEqual(giveOther(tx), [])

    def _finishesOnce(self, effects: Iterable[Effects]) -> None:
        seen = list(itertools.chain.from_iterable(effects))
        self.assertLessEqual(seen.count(Finished()), 1)
        if Finished() in seen:
            # Whatever came after the end was without effect, but for a report of it.
            self.assertLessEqual(len(seen) - seen.index(Finished()), 2)

    @PROPERTY
    @given(st.booleans(), st.lists(st.sampled_from(sorted(_INVITE_INPUTS)), max_size=20))
    def test_inviteAnyOrder(self, reliable: bool, names: list[str]) -> None:
        """
        No order of inputs raises, and none ends a transaction twice.
        """
        tx = inviteServer(reliable)
        self._finishesOnce([_INVITE_INPUTS[name](tx) for name in names])

    @PROPERTY
    @given(st.booleans(), st.lists(st.sampled_from(sorted(_OTHER_INPUTS)), max_size=20))
    def test_nonInviteAnyOrder(self, reliable: bool, names: list[str]) -> None:
        """
        No order of inputs raises, and none ends a transaction twice.
        """
        tx = nonInviteServer(reliable)
        self._finishesOnce([_OTHER_INPUTS[name](tx) for name in names])
