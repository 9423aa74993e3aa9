"""
Tests of L{siprec.uas.capacity}, and of what the recorder makes of it.
"""

from __future__ import annotations

from attrs import define

from siprec.session.live import LiveRecording
from siprec.sip.message import Response
from siprec.uas.capacity import Capacity, unavailable
from tests.uas.kit import ONE, THREE, TWO, RecorderTestCase, Src, offer


@define(eq=False)
class Opening:
    """
    A call whose recording has not begun.
    """

    live: LiveRecording | None = None


class CapacityTests(RecorderTestCase):
    """
    Limits of what runs at a time.
    """

    def refused(self, response: Response, why: str) -> None:
        """
        Assert that this says why there is no room.
        """
        self.assertEqual(response.status, 503)
        self.warned(response, why)

    def options(self) -> Response:
        """
        @return: the answer to an OPTIONS.
        """
        src = Src(self.house, callID="options")
        return src.ask(src.make("OPTIONS"))

    def test_streams(self) -> None:
        """
        All streams of all calls are counted; a call with fewer may still fit.
        """
        self.house.recorder.capacity.maxStreams = 4
        self.src.call()
        other = Src(self.house, callID="other")
        self.refused(other.invite(sdp=offer(ONE, TWO, THREE)), "2 streams are running of 4")
        other = Src(self.house, callID="fits")
        other.call()
        self.refused(self.options(), "4 streams are running of 4")
        self.src.bye()
        self.assertEqual(self.options().status, 200)

    def test_streamsOfOpening(self) -> None:
        """
        So are those of a call that has no recording yet.
        """
        capacity, call = Capacity(maxStreams=3), Opening()
        capacity.unacknowledged[call] = 2
        self.assertEqual(capacity.reasons([call]), [])
        [reason] = capacity.reasons([call], 2)
        self.assertIn("2 streams are running of 3", reason)

    def test_unacknowledged(self) -> None:
        """
        Calls whose 200 has not been acknowledged are counted until they are,
        or are over.
        """
        self.house.recorder.capacity.maxUnacknowledged = 1
        self.src.invite()
        other = Src(self.house, callID="other")
        self.refused(other.invite(), "1 calls have not been acknowledged")
        self.refused(self.options(), "1 calls")
        self.src.ack()
        self.assertEqual(self.options().status, 200)
        third = Src(self.house, callID="third")
        third.invite()
        self.refused(self.options(), "1 calls")
        self.house.wait(33)
        self.assertEqual(self.options().status, 200)

    def test_D3_alone(self) -> None:
        """
        A node that is alone says when to come back; one that is not must not,
        as the others have the same address (RFC 3261 section 21.5.4).
        """
        seconds = {unavailable("x", True).headers[0][1] for _ in range(500)}
        self.assertEqual(seconds, {str(each) for each in range(5, 16)})
        self.assertEqual(unavailable("x", False).headers, ())
        self.house.recorder.alone = lambda: False
        self.house.service.draining = True
        for response in (self.options(), self.src.invite()):
            self.refused(response, "draining")
            self.assertIsNone(response.headers.get("Retry-After"))

    def test_uses(self) -> None:
        """
        A connection is used while a call has it.
        """
        src = Src.overTCP(self.house)
        src.call()
        self.assertTrue(self.house.recorder.uses(900))
        self.assertFalse(self.house.recorder.uses(901))
        src.bye()
        self.assertFalse(self.house.recorder.uses(900))
