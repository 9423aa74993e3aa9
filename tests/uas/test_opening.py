"""
Tests for L{siprec.uas.opening}: an INVITE is answered once, and what became of
it is counted.
"""

from __future__ import annotations

from attrs import evolve

from siprec.sip.flow import Flow
from siprec.sip.message import Response
from tests.uas.kit import ONE, PEER, RecorderTestCase, Src, offer


class OpeningTests(RecorderTestCase):
    """
    Each INVITE has one outcome.
    """

    def _outcomes(self) -> list[float]:
        lines = self.house.metrics.exposition().decode().splitlines()
        found = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return [
            float(found.get(f'siprec_invites_total{{result="{each}"}}', 0))
            for each in ("accepted", "rejected", "cancelled")
        ]

    def test_accepted(self) -> None:
        """
        One 200, with the recording begun.
        """
        self.src.call()
        self.assertEqual(self._outcomes(), [1, 0, 0])

    def test_rejected(self) -> None:
        """
        One refusal, and nothing of a call is left.
        """
        self.assertEqual(self.src.invite(sdp=b"v=0\r\ns=-\r\nt=0 0\r\n").status, 400)
        self.house.ports.free = 0
        self.assertEqual(Src(self.house, callID="two").invite().status, 503)
        self.assertEqual(self._outcomes()[0], 0)
        self.assertEqual(self.house.recorder.calls, {})

    def test_cancelled(self) -> None:
        """
        A CANCEL while the recording is being opened: one 487, no 200.
        """
        self.house.workers.held = []
        saved = len(self.house.store.saved)
        self.src.send(self.src.make("INVITE", body=(offer(), None)))
        sent = [each for each in self.src.cancel() if isinstance(each, Response)]
        statuses = [each.status for each in sent]
        self.src.toTag = sent[0].toTag
        self.assertEqual(sorted(statuses), [200, 487])
        # An ACK out of place does nothing.
        assert self.src.last is not None
        self.src.ack()
        self.assertEqual(len(self.house.store.saved), saved)
        self.house.workers.finish()
        self.src.ack()
        self.assertEqual(self._outcomes(), [0, 0, 1])
        self.assertEqual(self.house.manifest["endReason"], "cancelled")

    def test_E8_keysInClear(self) -> None:
        """
        Keys that came where others can read them are an event; over TLS they are not.
        """
        crypto = f"1 AES_CM_128_HMAC_SHA1_80 inline:{'A' * 40}"
        body = offer(evolve(ONE, crypto=crypto))
        for transport, found in (("UDP", 1), ("TLS", 0)):
            flow = Flow(transport, ("192.0.2.1", 5060), (PEER, 5060))
            src = Src(self.house, flow=flow, callID=transport)
            self.assertEqual(src.invite(sdp=body).status, 200)
            [live] = [
                each
                for each in self.house.service.recordings.values()
                if each.recording.callID == transport
            ]
            types = [each["type"] for each in live.recording.events]
            self.assertEqual(types.count("srtpKeysInClear"), found)
            self.assertNotIn("inline", str(live.manifest()))

    def test_E8_required(self) -> None:
        """
        A peer whose media must be encrypted, and is not, gets 488 and is told why.
        """
        self.house.around.srtp = lambda flow: "require"
        response = self.src.invite()
        self.assertEqual(response.status, 488)
        self.assertIn("SRTP is required", response.headers.get("Warning") or "")
