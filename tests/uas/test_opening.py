"""
Tests for L{siprec.uas.opening}: an INVITE is answered once, and what became of
it is counted.
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred

from siprec.session.model import CallSnapshot, SessionData
from siprec.sip.flow import Flow
from siprec.sip.message import Response
from tests.uas.kit import ONE, PEER, RecorderTestCase, Src, offer

UCID = ("User-to-User", "00FA080019001038F725B3;encoding=hex")


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

    def test_saves(self) -> None:
        """
        A call costs three writes: before the 200, after the ACK, before the 200 to the
        BYE; and the record is deleted.
        """
        self.src.call()
        self.src.bye()
        self.assertEqual(len(self.house.store.saved), 3)
        self.house.wait(1)
        self.assertEqual(self.successResultOf(self.house.store.list()), [])

    def slow(self) -> CallSnapshot:
        """
        Let an INVITE come, and its files take long.

        @return: what is saved of it.
        """
        self.house.workers.held = []
        self.assertEqual(self.src.send(self.src.make("INVITE", body=(offer(), None))), [])
        [trying] = self.house.wait(0.25)
        assert isinstance(trying, Response)
        self.assertEqual(trying.status, 100)
        [snapshot] = self.house.store.saved
        return snapshot

    def test_slow(self) -> None:
        """
        An INVITE whose recording takes long to be begun is told 100 once the store has
        it as a call that is over, with the answer for another process to give; the 200
        takes the place of that.
        """
        snapshot = self.slow()
        [final] = snapshot.dialog.finals
        self.assertEqual(final.response[8:11], b"500")
        recording = snapshot.recording
        self.assertEqual((recording.state, recording.endReason), ("finishing", "nodeDied"))
        self.house.workers.finish()
        [ok] = self.house.wire.take()
        assert isinstance(ok, Response)
        self.assertEqual((ok.status, ok.toTag), (200, snapshot.dialog.localTag))
        self.src.toTag = ok.toTag
        self.src.ack()
        saved = self.house.store.saved[1]
        self.assertEqual((saved.key, saved.recording.state), (snapshot.key, "recording"))
        self.assertEqual([each.response for each in saved.dialog.finals], [ok.serialize()])
        self.assertEqual(self.src.bye().status, 200)

    def test_slowAndRefused(self) -> None:
        """
        Where there is no recording after all, nothing of it stays in the store.
        """
        self.blockDirectory()
        self.slow()
        self.house.workers.finish()
        [refused] = self.house.wire.take()
        assert isinstance(refused, Response)
        self.assertEqual(refused.status, 503)
        self.assertEqual(self.successResultOf(self.house.store.list()), [])

    def test_late(self) -> None:
        """
        Where it is the process that is late there is no other save: the 100 goes out
        after a second, or once the process is in time again.
        """
        for steps, saved in (([0.3, 0.3, 0.3], 0), ([0.3, 0.3, 0.2], 1)):
            self.src = Src(self.house, callID=f"of {saved}")
            self.house.store.saved.clear()
            self.house.workers.held = []
            self.assertEqual(self.src.send(self.src.make("INVITE", body=(offer(), None))), [])
            self.house.clock.pump(steps)
            self.assertEqual(len(self.house.store.saved), saved)
            self.house.clock.advance(0.3)
            [trying] = self.house.wire.take()
            assert isinstance(trying, Response)
            self.assertEqual(trying.status, 100)
            self.house.workers.finish()
            [ok] = self.house.wire.take()
            self.src.toTag = ok.toTag
            self.src.ack()

    def test_slowAndSearching(self) -> None:
        """
        While it is looked for a recording to go on with there is nothing to be saved.
        """
        asked: Deferred[SessionData | None] = Deferred()
        self.house.around.predecessor = lambda keys, host: asked
        self.house.service.exclude = ()
        request = self.src.make("INVITE", UCID, body=(offer(), None))
        self.assertEqual(self.src.send(request), [])
        self.assertEqual(self.house.wait(0.875), [])
        self.assertEqual(self.house.store.saved, [])
        [trying] = self.house.wait(0.25)
        self.house.workers.held = []
        asked.callback(None)
        self.assertEqual(len(self.house.store.saved), 1)
        self.house.workers.finish()
        [ok] = self.house.wire.take()
        assert isinstance(trying, Response) and isinstance(ok, Response)
        self.assertEqual((trying.status, ok.status), (100, 200))
        self.src.toTag = ok.toTag
        self.src.ack()

    def test_slowSave(self) -> None:
        """
        While the 200 is being saved nothing else is to be.
        """
        self.house.store.waiting = []
        self.src.send(self.src.make("INVITE", body=(offer(), None)))
        self.assertEqual(self.house.wait(0.875), [])
        self.assertEqual(len(self.house.wait(0.25)), 1)
        [saving] = self.house.store.waiting
        self.house.store.waiting = None
        saving.callback(None)
        [ok] = self.house.wire.take()
        self.src.toTag = ok.toTag
        self.src.ack()

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
