"""
Tests of L{siprec.uas.snapshotrequests}.
"""

from __future__ import annotations

import os

from attrs import evolve
from twisted.internet.defer import Deferred

from siprec.metadata.parse import parseMetadata
from siprec.sip.message import Request
from siprec.testing.offer import makeMetadata
from tests.uas.again import AgainTestCase
from tests.uas.kit import RecorderTestCase, offer

ALLOW = ("Allow", "INVITE, ACK, BYE, UPDATE")
PARTIAL = makeMetadata(["Ann", "Bob"], ["1", "2"]).replace(b"complete", b"partial")
WHOLE = makeMetadata(["Ann", "Carol"], ["1", "2"])


class ErrorTests(RecorderTestCase):
    """
    Where the metadata of a running call cannot be right.
    """

    def setUp(self) -> None:
        super().setUp()
        self.house.around.snapshots = "errors"

    def updates(self, seconds: float) -> list[Request]:
        """
        @return: the UPDATEs that come within this time, each once.
        """
        found: dict[int, Request] = {}
        for each in self.house.wait(seconds):
            if isinstance(each, Request) and each.method == "UPDATE":
                found[each.cseq.number] = each
        return list(found.values())

    def statuses(self) -> list[int]:
        """
        @return: what was answered to the requests so far.
        """
        events = self.house.manifest["events"]
        return [each["status"] for each in events if each["type"] == "snapshotRequested"]

    def test_A39_request(self) -> None:
        """
        After a document that cannot be read an UPDATE asks for a whole one: as its only
        body, with the disposition, never with SDP.
        """
        self.src.call(ALLOW)
        self.src.update(metadata=b"nothing")
        [request] = self.updates(1)
        self.assertEqual(request.headers.get("Content-Disposition"), "recording-session")
        self.assertEqual(request.headers.get("Require"), "siprec")
        self.assertIn("+sip.srs", request.headers.get("Contact") or "")
        self.assertIn("application/rs-metadata", request.headers.get("Accept") or "")
        assert request.contentType is not None
        self.assertEqual(request.contentType[0], "application/rs-metadata+xml")
        document = parseMetadata(request.body)
        self.assertEqual((document.root, document.status), ("requestsnapshot", "ok"))
        self.src.answer(request)
        self.assertEqual(self.statuses(), [200])
        self.src.update(metadata=WHOLE)
        self.assertEqual(self.updates(120), [])
        names = [each["name"] for each in self.house.manifest["participants"]]
        self.assertIn("Carol", names)

    def test_A30_mediaType(self) -> None:
        """
        The media type is the one that the peer uses.
        """
        self.src.call(ALLOW)
        request = self.src.make("UPDATE", body=(None, b"nothing"))
        headers = [
            (name, "application/rs-metadata" if name == "Content-Type" else value)
            for name, value in request.headers
        ]
        self.src.ask(evolve(request, headers=type(request.headers)(headers)))
        [asked] = self.updates(1)
        assert asked.contentType is not None
        self.assertEqual(asked.contentType[0], "application/rs-metadata")
        self.src.answer(asked)

    def test_A41_accept(self) -> None:
        """
        The media type of old drafts, C{rs-metadata-request}, is neither sent nor accepted.
        """
        self.src.call(ALLOW)
        self.src.update(metadata=b"nothing")
        [asked] = self.updates(1)
        self.assertNotIn(b"rs-metadata-request", asked.serialize())
        self.src.answer(asked)

    def test_A36_partial(self) -> None:
        """
        A partial document that rests on nothing is applied, and the whole one asked for.
        """
        self.src.call(ALLOW, metadata=PARTIAL)
        self.assertEqual(len(self.house.manifest["participants"]), 2)
        [request] = self.updates(1)
        self.src.answer(request)

    def test_A35_noMetadata(self) -> None:
        """
        A call without metadata is asked after five seconds, unless some has come.
        """
        self.src.call(ALLOW, metadata=None)
        self.assertEqual(self.updates(4.5), [])
        [request] = self.updates(1)
        self.src.answer(request)

    def test_A35_late(self) -> None:
        """
        Metadata that comes in time is all that was wanted.
        """
        self.src.call(ALLOW, metadata=None)
        self.src.update(metadata=WHOLE)
        self.assertEqual(self.updates(10), [])

    def test_A40_withoutUpdate(self) -> None:
        """
        A peer that does not say that it takes UPDATE is never asked.
        """
        self.src.call(("Allow", "INVITE, ACK, BYE"))
        self.src.update(metadata=b"nothing")
        self.assertEqual(self.updates(120), [])

    def test_A40_refused(self) -> None:
        """
        A peer that refuses is not asked again, in no call; its call goes on.
        """
        self.src.call(ALLOW)
        self.src.update(metadata=b"nothing")
        self.src.answer(self.updates(1)[0], 488)
        self.assertEqual(self.statuses(), [488])
        self.src.update(metadata=b"nothing")
        self.assertEqual(self.updates(120), [])
        self.assertEqual(self.house.manifest["state"], "recording")
        self.assertIs(self.house.around.peers.takesSnapshotRequest("192.0.2.7"), False)

    def test_A40_silent(self) -> None:
        """
        One that does not answer has not refused: the next error asks again.
        """
        self.src.call(ALLOW)
        self.src.update(metadata=b"nothing")
        self.assertEqual(len(self.updates(40)), 1)
        self.assertEqual(self.statuses(), [408])
        self.assertIsNone(self.house.around.peers.takesSnapshotRequest("192.0.2.7"))
        self.src.update(metadata=b"nothing")
        [request] = self.updates(1)
        self.src.answer(request)

    def test_gone(self) -> None:
        """
        481 says that there is no call any more.
        """
        self.src.call(ALLOW)
        self.src.update(metadata=b"nothing")
        self.src.answer(self.updates(1)[0], 481)
        self.assertEqual(self.house.manifest["endReason"], "peerGone")

    def test_A38_backOff(self) -> None:
        """
        Once for each error, and ever more rarely.
        """
        self.src.call(ALLOW)
        self.src.update(metadata=b"nothing")
        self.src.answer(self.updates(1)[0])
        self.src.update(metadata=b"nothing")
        self.assertEqual(self.updates(28), [])
        self.src.answer(self.updates(2)[0])
        self.src.update(metadata=b"nothing")
        self.assertEqual(self.updates(58), [])
        self.src.answer(self.updates(2)[0])
        self.assertEqual(self.updates(300), [])

    def test_busy(self) -> None:
        """
        While the peer changes the session nothing is asked.
        """
        self.src.call(ALLOW)
        invite = self.src.make("INVITE", body=(offer(version=2), b"nothing"))
        self.src.ask(invite)
        self.assertEqual(self.updates(3), [])
        self.src.ack()
        [request] = self.updates(1)
        self.src.answer(request)

    def test_endedMeanwhile(self) -> None:
        """
        A call that ends needs no metadata, nor one that ends while it is asked.
        """
        self.src.call(ALLOW)
        self.src.update(metadata=b"nothing")
        [request] = self.updates(1)
        self.src.bye()
        self.src.answer(request)
        self.assertEqual(self.statuses(), [])
        self.assertEqual(self.house.manifest["endReason"], "bye")

    def test_endedBefore(self) -> None:
        """
        Nor one that ends before it is asked.
        """
        self.src.call(ALLOW)
        self.src.update(metadata=b"nothing")
        self.src.bye()
        self.assertEqual(self.updates(3), [])

    def test_fenced(self) -> None:
        """
        Whoever finds out meanwhile that another node has the call asks nothing.
        """
        self.src.call(ALLOW)
        self.src.update(metadata=b"nothing")
        saving: list[Deferred[None]] = []
        self.house.store.waiting = saving
        self.assertEqual(self.updates(1), [])
        self.house.recorder.letGo(self.house.manifest["id"])
        for done in saving:
            done.callback(None)
        self.assertEqual(self.updates(3), [])

    def test_defaults(self) -> None:
        """
        By default no error is asked about.
        """
        self.house.around.snapshots = "lost"
        self.src.call(ALLOW, metadata=None)
        self.src.update(metadata=b"nothing")
        self.assertEqual(self.updates(120), [])


class LostTests(AgainTestCase):
    """
    Where another process goes on, and cannot read the state of the metadata.
    """

    def resumed(self, policy: str, kept: bool = False) -> list[Request]:
        """
        @param kept: whether the documents so far are at hand.
        @return: what the second process asks.
        """
        self.src.call(ALLOW)
        snapshot = self.kill()
        recording = evolve(snapshot.recording, metadataState={"schema": 99})
        if not kept:
            os.unlink(f"{recording.directory}/metadata-1.xml")
        self.start()
        self.house.around.snapshots = policy
        call = self.resume(evolve(snapshot, recording=recording))
        self.successResultOf(call.moveMedia())
        sent = self.house.wait(1.5)
        return [each for each in sent if isinstance(each, Request) and each.method == "UPDATE"]

    def test_lost(self) -> None:
        """
        By default it asks for a snapshot, and that is the base again.
        """
        [request, *_] = self.resumed("lost")
        self.assertIn(b"state lost", request.body)
        self.src.answer(request)
        self.src.update(metadata=WHOLE)
        self.assertEqual(self.house.events()[-1], "snapshotRequested")

    def test_replayed(self) -> None:
        """
        Where the documents are at hand they give the same state, and nothing is asked.
        """
        self.assertEqual(self.resumed("lost", kept=True), [])
        self.assertNotIn("metadataStateLost", self.house.events())
        self.assertEqual(len(self.house.manifest["participants"]), 2)

    def test_never(self) -> None:
        """
        It may be forbidden.
        """
        self.assertEqual(self.resumed("never"), [])
