"""
Tests of L{siprec.media.latching}.
"""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase

from siprec.media.batch import Held
from siprec.media.latching import PATIENCE, SILENCE, Heard, Latch, isMedia
from siprec.media.origin import Expected, Key, keyOf
from tests.media.reference import rtp
from tests.media.test_libsrtp import SENDER_REPORT

_SECOND = 1_000_000_000


def key(host: str) -> Key:
    """
    @return: the address of an IPv4 host.
    """
    found = keyOf(host, socket.AF_INET)
    assert found is not None
    return found


A, B, C = key("192.0.2.1"), key("192.0.2.2"), key("192.0.2.3")
SDP, LATCH = Expected("sdp", "192.0.2.1"), Expected("latch", "192.0.2.1", "192.0.2.3")
NOWHERE = Expected("latch")


def held(sequence: int, at: int = 0, ssrc: int = 7) -> Held:
    """
    @param at: milliseconds.
    """
    data = rtp(sequence, ssrc)
    return Held(_SECOND + at * 1_000_000, data, 0, len(data))


def heard(sequence: int, at: int = 0, ssrc: int = 7) -> Heard:
    """
    @param at: milliseconds.
    """
    return Heard(_SECOND + at * 1_000_000, ssrc, sequence)


CONTROL = Held(_SECOND, SENDER_REPORT, 0, len(SENDER_REPORT))
NOTHING = Heard()


class LatchCase(SynchronousTestCase):
    """
    One stream.
    """

    def setUp(self) -> None:
        self.latch = Latch(socket.AF_INET)

    def expect(self, expected: Expected, at: int = -1000) -> None:
        """
        @param at: milliseconds.
        """
        self.latch.expect(expected, _SECOND + at * 1_000_000)

    def take(
        self, who: Key, *sequences: int, at: int = 0, ssrc: int = 7, last: Heard = NOTHING
    ) -> None:
        """
        Packets come from somebody, 20 ms after one another.
        """
        for number, sequence in enumerate(sequences):
            self.latch.take(who, held(sequence, at + 20 * number, ssrc), last)

    def won(self) -> list[int]:
        """
        @return: the sequence numbers of what is to be taken, which is taken.
        """
        found, self.latch.won = self.latch.won, []
        return [int.from_bytes(each.data[2:4], "big") for each in found]


class LearningTests(LatchCase):
    """
    Nobody was heard yet.
    """

    def test_E11_isMedia(self) -> None:
        """
        RTP is told by its header.
        """
        self.assertTrue(isMedia(rtp(1)))
        for data in (
            b"",
            rtp(1)[:11],
            b"\x00" + rtp(1)[1:],
            SENDER_REPORT,
            b"\x80\xc9" + bytes(10),
        ):
            self.assertFalse(isMedia(data))

    def test_E11_three(self) -> None:
        """
        Where nobody is described, the first wins from whom three packets in order have
        come; all that was held of it is taken, what is no RTP too.
        """
        self.expect(NOWHERE)
        self.latch.take(B, Held(_SECOND, b"\0\1\0\0stun", 0, 8), NOTHING)
        self.take(C, 50, ssrc=9)
        self.take(B, 1, 2)
        self.assertEqual((self.won(), self.latch.current), ([], None))
        self.take(B, 3, at=40)
        self.assertEqual(self.won(), [1, 2, 3])
        self.assertEqual((self.latch.current, self.latch.strangers), (B, 2))
        self.assertEqual(self.latch.news[0], ("stranger", "192.0.2.2"))
        self.assertEqual(self.latch.news[1:], [("latched", "192.0.2.2"), ("stranger", "192.0.2.3")])

    def test_E11_consistent(self) -> None:
        """
        Packets of several sources, far apart, or the same one again do not count as such;
        one that is late or lost among them does no harm.
        """
        self.expect(NOWHERE)
        self.take(B, 1, 2)
        self.take(B, 3, ssrc=8)
        self.take(B, 1000, 2000, at=100)
        self.take(B, 2001, 2001, 2001, at=200)
        self.assertIsNone(self.latch.current)
        self.take(B, 1999, 2005, at=300)
        self.assertEqual(self.won(), [2000, 2001, 2001, 2001, 1999, 2005])
        self.assertEqual(self.latch.strangers, 4)

    def test_E11_wraps(self) -> None:
        """
        Sequence numbers wrap.
        """
        self.expect(NOWHERE)
        self.take(B, 65534, 0, 1)
        self.assertEqual(self.won(), [65534, 0, 1])

    def test_E11_sourceChanges(self) -> None:
        """
        Who has sent enough may change its SSRC while it is waited for the one that is
        described.
        """
        self.expect(LATCH)
        self.take(B, 1, 2, 3)
        self.take(B, 500, ssrc=8, at=60)
        self.assertEqual(self.won(), [])
        self.latch.decide()
        self.assertEqual(self.won(), [1, 2, 3, 500])

    def test_E11_patience(self) -> None:
        """
        The described address has a second before another takes its place; then nothing
        that was held is lost.
        """
        self.expect(LATCH)
        self.assertEqual(self.latch.current, A)
        self.take(B, *range(50))
        self.assertEqual((self.won(), self.latch.current), ([], A))
        self.take(B, 50, at=PATIENCE // 1_000_000)
        self.assertEqual((self.won(), self.latch.current), (list(range(51)), B))
        self.assertEqual(self.latch.news, [("latched", "192.0.2.2")])

    def test_E11_follows(self) -> None:
        """
        What comes in the same batch after the packet that decided is taken in its order.
        """
        self.expect(NOWHERE)
        self.take(B, 1, 2, 3, 4, 5)
        self.assertEqual(self.won(), [1, 2, 3, 4, 5])

    def test_E11_inTime(self) -> None:
        """
        If the described one speaks, whoever sent before is a stranger: even at the end.
        """
        self.expect(LATCH)
        self.take(B, 1, 2, 3)
        self.take(B, 4, at=60, ssrc=7, last=heard(900, 50, ssrc=5))
        self.latch.decide(heard(950, 2000, ssrc=5))
        self.latch.forget()
        self.assertEqual((self.won(), self.latch.current), ([], A))
        self.assertEqual((self.latch.strangers, self.latch.news), (4, [("stranger", "192.0.2.2")]))

    def test_E11_decide(self) -> None:
        """
        At the end the one wins who sent most; too few packets are nobody's.
        """
        self.expect(LATCH)
        self.take(B, 1, 2, 3)
        self.take(C, 11, 12, 13, 14, ssrc=8)
        self.latch.decide()
        self.assertEqual((self.won(), self.latch.strangers), ([11, 12, 13, 14], 3))
        self.latch.decide()
        other = Latch(socket.AF_INET)
        other.expect(NOWHERE, 0)
        other.take(B, held(1), NOTHING)
        other.decide()
        other.forget()
        self.assertEqual((other.won, other.strangers), ([], 1))

    def test_E11_finish(self) -> None:
        """
        At the end one packet is enough, if nobody else has sent any; not beside the sender,
        and not by another address where only the one described may send.
        """
        alone = Latch(socket.AF_INET)
        alone.expect(NOWHERE, 0)
        alone.take(B, held(1), NOTHING)
        alone.finish()
        self.assertEqual((len(alone.won), alone.strangers), (1, 0))
        two = Latch(socket.AF_INET)
        two.expect(NOWHERE, 0)
        two.take(B, held(1), NOTHING)
        two.take(C, held(1), NOTHING)
        two.finish()
        self.assertEqual(two.won, [])
        self.expect(LATCH)
        self.take(B, 1)
        self.latch.finish(heard(950, 2000, ssrc=5))
        self.assertEqual(self.won(), [])

    def test_E11_crowd(self) -> None:
        """
        Of many addresses at a time those are waited with that have sent most; of one no
        more than 256 packets are held, and no more than eight are told of.
        """
        self.expect(LATCH)
        self.take(B, *range(2))
        for number in range(20):
            self.take(key(f"198.51.100.{number}"), number)
        self.take(B, *range(2, 300), at=40)
        self.assertEqual([kind for kind, _ in self.latch.news].count("stranger"), 8)
        self.assertEqual(self.latch.current, B)
        self.assertEqual(self.won(), list(range(300)))
        waiting = Latch(socket.AF_INET)
        for number in range(300):
            waiting.take(B, held(number), NOTHING)
        waiting.decide()
        self.assertEqual((len(waiting.won), waiting.strangers), (256, 44))


class DescribedTests(LatchCase):
    """
    What descriptions change.
    """

    def test_E11_sdp(self) -> None:
        """
        With C{sdp} nobody but the described one is ever taken, not even at the end.
        """
        self.expect(SDP)
        self.take(B, *range(100))
        self.assertTrue(self.latch.hopeless(B, 7, NOTHING))
        self.assertFalse(self.latch.hopeless(A, 7, NOTHING))
        self.latch.decide()
        self.assertEqual((self.won(), self.latch.current, self.latch.strangers), ([], A, 100))

    def test_E11_null(self) -> None:
        """
        On hold by the null address C{sdp} takes nothing; C{latch} stays with whom it has
        learnt.
        """
        for how, current in (("sdp", None), ("latch", A)):
            latch = Latch(socket.AF_INET)
            latch.expect(Expected(how, "192.0.2.1"), 0)  # type: ignore[arg-type]
            latch.expect(Expected(how), _SECOND)  # type: ignore[arg-type]
            self.assertEqual(latch.current, current)

    def test_E11_heldStaysLocked(self) -> None:
        """
        A hold is no reason to look for another sender, nor is a description that was
        right before.
        """
        self.expect(LATCH)
        for at, expected in ((500, NOWHERE), (600, LATCH), (700, LATCH)):
            self.expect(expected, at)
            self.take(B, *range(100), at=800, ssrc=8, last=heard(1, 400))
            self.assertEqual((self.won(), self.latch.current), ([], A))

    def test_E11_anew(self) -> None:
        """
        After another offer that describes another address than media comes from, it is
        learnt anew.
        """
        self.expect(NOWHERE)
        self.take(B, 1, 2, 3)
        self.won()
        self.take(C, 11, 12, 13, at=100, ssrc=8, last=heard(9, 90))
        self.assertEqual(self.latch.current, B)
        self.expect(LATCH, 200)
        self.assertEqual(self.latch.current, B)
        self.take(C, *range(21, 80), at=300, ssrc=8, last=heard(9, 190))
        self.assertEqual(self.latch.current, C)

    def test_E11_newAddress(self) -> None:
        """
        The newly described one is believed after three packets, even while the one before
        goes on.
        """
        for how in ("sdp", "latch"):
            latch = self.latch = Latch(socket.AF_INET)
            latch.expect(Expected(how, "192.0.2.2"), 0)
            latch.expect(Expected(how, "192.0.2.1"), 1)
            self.assertEqual(latch.current, B)
            self.take(A, 11, 12, ssrc=8, last=heard(9, 10))
            self.assertEqual((self.won(), latch.current), ([], B))
            self.take(A, 13, at=40, ssrc=8, last=heard(10, 30))
            self.assertEqual((self.won(), latch.current, latch.strangers), ([11, 12, 13], A, 0))

    def test_E11_waiting(self) -> None:
        """
        What comes before anything was said is held, whoever sends it; then it is told
        apart.
        """
        for expected, won, strangers in (
            (SDP, [1, 2, 3, 4], 2),
            (LATCH, [1, 2, 3, 4], 2),
            (NOWHERE, [1, 2, 3, 4], 2),
            (Expected("sdp"), [], 6),
            (Expected("any"), [1, 11, 2, 12, 3, 4], 0),
        ):
            self.latch = Latch(socket.AF_INET)
            self.take(A, 1, 2, 3, 4)
            self.take(B, 11, 12, at=1)
            self.expect(expected, 500)
            self.assertEqual((self.won(), self.latch.strangers), (won, strangers), expected)

    def test_E11_waitingForOthers(self) -> None:
        """
        Who has sent before anybody was described stays waited with.
        """
        self.take(B, 1, 2)
        self.expect(LATCH, 50)
        self.take(B, 3, at=PATIENCE // 1_000_000)
        self.assertEqual(self.won(), [1, 2, 3])


class MovingTests(LatchCase):
    """
    Somebody was heard.
    """

    def setUp(self) -> None:
        super().setUp()
        self.expect(LATCH)

    def test_E11_moves(self) -> None:
        """
        Whoever goes on with the same source where the address before has been silent for
        two seconds is the sender; nothing of it is lost.
        """
        last = heard(100, 0)
        self.take(B, *range(101, 200), at=20, last=last)
        self.assertEqual((self.won(), self.latch.current), ([], A))
        self.take(B, 200, at=SILENCE // 1_000_000, last=last)
        self.assertEqual((self.won(), self.latch.current), (list(range(101, 201)), B))
        self.assertEqual(self.latch.news, [("latched", "192.0.2.2")])

    def test_E11_atTheEnd(self) -> None:
        """
        If the call ends before, that is enough.
        """
        last = heard(100, 0)
        self.take(B, 101, 102, 103, at=20, last=last)
        self.latch.decide(last)
        self.assertEqual(self.won(), [101, 102, 103])

    def test_E6_collision(self) -> None:
        """
        Of two with the same numbers at a time the one stays that was there before, for as
        long as it sends (RFC 3550 section 8.2).
        """
        for number in range(300):
            last = heard(100 + number, 20 * number)
            self.take(B, 101 + number, at=20 * number, last=last)
        self.latch.decide(heard(400, 6000))
        self.latch.forget()
        self.assertEqual((self.won(), self.latch.current), ([], A))
        self.assertEqual(self.latch.strangers, 300)

    def test_E11_others(self) -> None:
        """
        Another source, numbers that do not follow, or no RTP at all do not move it,
        however long it is silent.
        """
        last = heard(100, 0)
        self.take(B, *range(200), at=5000, ssrc=8, last=last)
        self.take(C, *range(5000, 5100), at=5000, last=last)
        self.take(C, 99, 100, at=5000, last=last)
        self.latch.take(B, CONTROL, last)
        self.latch.decide(last)
        self.assertEqual((self.won(), self.latch.current, self.latch.strangers), ([], A, 303))
        self.assertTrue(self.latch.hopeless(B, 8, last))
        self.assertFalse(self.latch.hopeless(B, 7, last))

    def test_E11_back(self) -> None:
        """
        The described address gets the stream back when it sends, whatever its source.
        """
        self.take(B, *range(101, 300), at=20, last=heard(100, 0))
        self.assertEqual(self.latch.current, B)
        self.won()
        self.take(A, 11, 12, 13, at=9000, ssrc=8, last=heard(299, 8990))
        self.assertEqual((self.won(), self.latch.current), ([11, 12, 13], A))
        self.assertEqual(self.latch.news[-1], ("latched", "192.0.2.1"))


class ControlTests(LatchCase):
    """
    RTCP.
    """

    def test_E11_control(self) -> None:
        """
        It is taken from the sender of RTP, and from whom the description says; from a
        stranger it is not.
        """
        self.expect(LATCH)
        last = heard(1)
        self.assertEqual(
            [self.latch.takeControl(each, CONTROL, last) for each in (A, C, B)],
            [True, True, False],
        )
        self.assertEqual((self.latch.strangers, self.latch.wonControl), (1, []))
        self.expect(SDP)
        self.assertFalse(self.latch.takeControl(B, CONTROL, NOTHING))

    def test_E11_controlHeld(self) -> None:
        """
        Until it is known who sends, some is held.
        """
        self.expect(NOWHERE)
        for _ in range(10):
            self.assertFalse(self.latch.takeControl(B, CONTROL, NOTHING))
        self.take(B, 1, 2, 3)
        self.assertEqual((len(self.latch.wonControl), self.latch.strangers), (8, 2))

    def test_E11_controlWaits(self) -> None:
        """
        Before anything was said all is held; then it is told apart.
        """
        for expected, won, strangers in ((LATCH, 2, 0), (SDP, 1, 2), (Expected("any"), 3, 0)):
            latch = Latch(socket.AF_INET)
            for each in (A, B, C):
                self.assertFalse(latch.takeControl(each, CONTROL, NOTHING))
            latch.expect(expected, 0)
            self.assertEqual((len(latch.wonControl), latch.strangers), (won, strangers))
