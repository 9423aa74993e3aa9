"""
Tests for L{siprec.uas.call}: INVITEs that are refused.
"""

from __future__ import annotations

import os
from typing import Any

from siprec.sdp.choice import Policy
from siprec.sdp.model import SessionDescription
from siprec.session.live import LiveRecording
from siprec.sip.flow import Flow
from siprec.sip.message import Request
from siprec.uas.negotiation import Negotiation
from tests.uas.kit import RecorderTestCase, Src, offer

REJECTED = 'siprec_invites_total{result="rejected"} 1.0'


class _Broken(Negotiation):
    """
    A negotiation with a mistake in it.
    """

    def firstAnswer(self, live: LiveRecording) -> SessionDescription:
        raise ZeroDivisionError


class RefusedTests(RecorderTestCase):
    """
    An INVITE that cannot be taken leaves nothing behind.
    """

    def assertNothing(self, *files: str) -> None:
        """
        Assert that no trace of a call is left.
        """
        house = self.house
        self.assertEqual(house.files(), list(files))
        self.assertEqual((house.ports.taken, house.store.saved), ([], []))
        self.assertEqual((house.recorder.calls, house.service.recordings), ({}, {}))
        self.assertEqual(house.capture.attached, [])
        self.assertTrue(house.count(REJECTED))

    def test_D3_503_noPort(self) -> None:
        """
        One free port for two streams: 503, and when to come back.
        """
        self.house.ports.free = 1
        response = self.src.invite()
        self.assertEqual((response.status, response.headers.get("Retry-After")), (503, "10"))
        self.warned(response, "no free pair")
        self.assertNothing()
        self.assertEqual(self.house.ports.free, 1)

    def test_noDirectory(self) -> None:
        """
        A directory that cannot be made: 503.
        """
        self.blockDirectory()
        response = self.src.invite()
        self.assertEqual((response.status, response.headers.get("Retry-After")), (503, "10"))
        self.assertNothing("2026")

    def test_D3_488_unsupported(self) -> None:
        """
        Nothing that can be recorded: 488, and the Warning says why each line
        was refused.
        """
        video = offer().replace(b"m=audio", b"m=video")
        response = self.src.invite(sdp=video)
        self.assertEqual(response.status, 488)
        self.warned(response, "line 1: video is not recorded; line 2: video")
        self.assertNothing()

    def test_manyLines(self) -> None:
        """
        However many lines there are, the refusal fits a datagram.
        """
        lines = b"m=video 40000 RTP/AVP 99\r\n" * 120
        response = self.src.invite(sdp=b"v=0\r\n" + lines)
        self.assertEqual(response.status, 488)
        self.assertLess(len(response.serialize()), 1500)

    def test_noSocket(self) -> None:
        """
        A socket that cannot be had, for whatever reason: 503 as well.
        """
        self.house.ports.free = 1
        self.house.ports.failure = OSError(24, "Too many open files")
        response = self.src.invite()
        self.assertEqual((response.status, response.headers.get("Retry-After")), (503, "10"))
        self.assertNothing()

    def test_unforeseenBefore(self) -> None:
        """
        A mistake of ours before the recording has begun: 500, and it is in the
        log.
        """

        def describe(request: Request, flow: Flow) -> dict[str, Any]:
            raise ZeroDivisionError

        self.house.around.describe = describe
        response = self.src.invite()
        self.assertEqual((response.status, response.headers.get("Retry-After")), (500, "10"))
        self.assertNothing()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_unforeseen(self) -> None:
        """
        A mistake of ours after the recording has begun: the INVITE is
        answered, and the recording is ended, not forgotten.
        """
        self.house.around.negotiation = lambda: _Broken(Policy())
        response = self.src.invite()
        self.assertEqual(response.status, 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.house.manifest["state"], "complete")
        self.assertEqual(self.house.manifest["endReason"], "internalError")
        self.assertEqual((self.house.recorder.calls, self.house.ports.taken), ({}, []))
        self.assertTrue(self.house.count("siprec_unhandled_errors_total 1.0"))

    def test_again(self) -> None:
        """
        After a refusal the next call is taken, once there is room.
        """
        self.blockDirectory()
        self.src.invite()
        os.unlink(f"{self.house.root}/2026")
        other = Src(self.house, callID="two@192.0.2.7")
        self.assertEqual(other.invite().status, 200)
