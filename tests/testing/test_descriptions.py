"""
Tests for L{siprec.testing.descriptions}.
"""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.sdp.parse import parseSDP
from siprec.sip.headers import Headers
from siprec.sip.message import Response
from siprec.testing.descriptions import Descriptions, sdpOf
from siprec.testing.leg import Leg
from siprec.testing.offer import makeBody
from tests.testing.recorder import FakeMedia, sdp


def answer(body: bytes, contentType: str = "application/sdp") -> Response:
    """
    @return: a response with this body.
    """
    return Response(200, "OK", Headers([("Content-Type", contentType)]), body)


class DescriptionsTests(SynchronousTestCase):
    """
    Our side of offers and answers.
    """

    def setUp(self) -> None:
        clock = Clock()
        self.legs = [Leg(clock, FakeMedia(30000 + 2 * n), str(n + 1)) for n in range(2)]
        self.descriptions = Descriptions("192.0.2.1", self.legs)

    def test_version(self) -> None:
        """
        The version rises by one with each change and only then; the session
        id stays (RFC 3264 section 8).
        """
        first = parseSDP(self.descriptions.offer()).origin
        again = parseSDP(self.descriptions.offer()).origin
        self.legs[0].direction = "inactive"
        changed = parseSDP(self.descriptions.offer()).origin
        self.assertEqual([first.version, again.version, changed.version], [1, 1, 2])
        self.assertEqual(first.sessionID, changed.sessionID)

    def test_take(self) -> None:
        """
        Each line of a description is for the leg at its place.
        """
        self.assertTrue(self.descriptions.take(answer(sdp(40000, 0))))
        self.assertEqual(self.legs[0].remote, ("192.0.2.9", 40000))
        self.assertTrue(self.legs[1].refused)
        offered = parseSDP(self.descriptions.offer())
        answered = parseSDP(self.descriptions.answer())
        self.assertEqual([media.port for media in offered.media], [30000, 30002])
        self.assertEqual([media.port for media in answered.media], [30000, 0])

    def test_nothing(self) -> None:
        """
        A message without a description changes nothing.
        """
        self.descriptions.take(answer(sdp(40000, 40002)))
        self.assertFalse(self.descriptions.take(Response(200, "OK", Headers())))
        self.assertFalse(self.descriptions.take(answer(b"x", "text/plain")))
        self.assertEqual(self.legs[0].remote, ("192.0.2.9", 40000))

    def test_multipart(self) -> None:
        """
        A description is found inside a multipart.
        """
        contentType, body, _ = makeBody(sdp(40000), b"<x/>")
        assert contentType is not None
        self.assertEqual(sdpOf(answer(body, contentType)), sdp(40000))
