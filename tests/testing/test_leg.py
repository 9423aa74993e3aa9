"""
Tests for L{siprec.testing.leg}.
"""

import struct

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.sdp.parse import parseSDP
from siprec.testing.leg import Leg, NotAnswered
from siprec.testing.rtp import Plan
from siprec.testing.wire import Law
from tests.testing.recorder import FakeMedia, sdp

RECORDER = "192.0.2.9"


def numbers(packet: bytes) -> tuple[int, int, int]:
    """
    @return: sequence number, timestamp and SSRC.
    """
    return struct.unpack("!2xHLL", packet[:12])


class LegTests(SynchronousTestCase):
    """
    One stream.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.media = FakeMedia(30000)
        self.leg = Leg(self.clock, self.media, "7", Law.A, ssrc=5)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(self.leg.close)

    def take(self, description: bytes) -> None:
        self.leg.take(parseSDP(description), 0)

    def test_offered(self) -> None:
        """
        A stream is offered with its label, its port and its codec.
        """
        media = self.leg.offered().media()
        self.assertEqual((media.label, media.port, media.direction), ("7", 30000, "sendonly"))
        self.assertEqual([codec.name for codec in media.codecs], ["PCMA"])

    def test_play(self) -> None:
        """
        Audio goes out as RTP packets of 20 ms to where the recorder receives.
        """
        self.take(sdp(40000))
        done = self.leg.play(bytes(480))
        self.clock.pump([0.02 + 1e-9] * 2)
        self.successResultOf(done)
        first, second, third = (numbers(data) for data, _ in self.media.media)
        self.assertEqual({address for _, address in self.media.media}, {(RECORDER, 40000)})
        self.assertEqual((second[0] - first[0], third[0] - second[0]), (1, 1))
        self.assertEqual((second[1] - first[1]) % 2**32, 160)
        self.assertEqual(first[2], 5)
        self.assertLess(first[0], 2**15)
        self.assertEqual([each.data for each in self.leg.sent], [d for d, _ in self.media.media])

    def test_playAgain(self) -> None:
        """
        After a silence, sequence numbers go on and the timestamp has moved by
        the time that passed (RFC 3550 section 5.1).
        """
        self.take(sdp(40000))
        self.leg.play(bytes(160))
        self.clock.advance(1.0)
        self.leg.play(bytes(160))
        first, second = (numbers(data) for data, _ in self.media.media)
        self.assertEqual(second[0] - first[0], 1)
        self.assertEqual((second[1] - first[1]) % 2**32, 8000)

    def test_plan(self) -> None:
        """
        A bad network can be asked for.
        """
        self.take(sdp(40000))
        self.successResultOf(self.leg.play(bytes(1600), Plan(loss=1.0)))
        self.assertEqual(self.media.media, [])

    def test_paused_J3(self) -> None:
        """
        While the recorder answers inactive nothing is sent; after it, the
        sequence numbers have jumped by what was not sent.
        """
        self.take(sdp(40000))
        done = self.leg.play(bytes(800))
        self.take(sdp(40000, direction="inactive"))
        self.clock.pump([0.02 + 1e-9] * 2)
        self.take(sdp(40002))
        self.clock.pump([0.02 + 1e-9] * 2)
        self.successResultOf(done)
        sequence = [numbers(data)[0] for data, _ in self.media.media]
        self.assertEqual([each - sequence[0] for each in sequence], [0, 3, 4])
        self.assertEqual(self.media.media[-1][1], (RECORDER, 40002))

    def test_notReceived(self) -> None:
        """
        Nothing can be played to a recorder that refused the stream, holds it
        or has not answered.
        """
        self.assertRaises(NotAnswered, self.leg.play, b"")
        for description in (
            sdp(0),
            sdp(40000, direction="inactive"),
            sdp(40000, host="0.0.0.0"),
        ):
            self.take(description)
            self.assertRaises(NotAnswered, self.leg.play, b"")
            self.assertRaises(NotAnswered, self.leg.report, 0.0)

    def test_missingLine(self) -> None:
        """
        A stream whose line is not in the answer is refused.
        """
        self.leg.take(parseSDP(sdp(40000)), 1)
        self.assertTrue(self.leg.refused)
        self.assertIsNone(self.leg.remote)

    def test_answered(self) -> None:
        """
        Our answer mirrors what the recorder offers: recvonly becomes
        sendonly, inactive stays, and so does port 0.
        """
        for offer, port, direction in (
            (sdp(40000), 30000, "sendonly"),
            (sdp(40000, direction="inactive"), 30000, "inactive"),
            (sdp(0), 0, "inactive"),
        ):
            self.take(offer)
            answered = self.leg.answered()
            self.assertEqual((answered.port, answered.direction), (port, direction))

    def test_report(self) -> None:
        """
        A sender report tells what was sent, and goes to the port after RTP or
        to the one that C{a=rtcp} names (RFC 3605).
        """
        self.take(sdp(40000))
        self.leg.play(bytes(160))
        self.leg.report(100.0)
        self.take(sdp(40000) + b"a=rtcp:41001 IN IP4 192.0.2.9\r\n")
        self.leg.report(100.0)
        (data, address), (_, named) = self.media.control
        self.assertEqual((address[1], named[1]), (40001, 41001))
        self.assertEqual(struct.unpack("!LL", data[20:28]), (1, 160))

    def test_close(self) -> None:
        """
        Closing stops and gives the ports back.
        """
        self.take(sdp(40000))
        done = self.leg.play(bytes(8000))
        self.leg.close()
        self.successResultOf(done)
        self.assertTrue(self.media.closed)
