"""
Tests of L{siprec.cluster.stitching}.
"""

from __future__ import annotations

from typing import Any, cast

from attrs import evolve
from twisted.internet.defer import Deferred

from siprec.cluster.stitching import NotReleased, Stitching
from siprec.ids import NodeID
from siprec.session.model import SessionData
from tests.cluster.fakelinks import FakeLinks
from tests.cluster.nodecase import ClusterTestCase

KEY = "ucid"


class StitchingTestCase(ClusterTestCase):
    """
    A node with a call that has one key.

    @ivar dead: the nodes that are.
    """

    count = 1

    def setUp(self) -> None:
        super().setUp()
        [self.a] = self.nodes
        self.call()
        self.recordingID = self.key()
        self.host = self.snapshot(self.recordingID).dialog.flow[3]
        self.dead: set[NodeID] = set()
        self.taking: Deferred[None] | None = None
        self.links = FakeLinks(self.clock)
        self.stitching = self.stitchingOf(30.0)
        store = type(self.memory)
        self.patch(
            store,
            "listByCorrelation",
            lambda memory, key: {self.recordingID} & {*memory.list(None)},
        )

    def stitchingOf(self, window: float) -> Stitching:
        """
        @return: of this node.
        """
        a = self.a
        return Stitching(
            self.clock,
            a.node,
            cast(Any, a.store),
            a.state.adapter,
            a.service,
            a.recorder,
            a.now,
            lambda node: node in self.dead,
            lambda key: self.taking,
            window,
            self.links,
        )

    def find(self, host: str | None = None) -> Deferred[SessionData | None]:
        """
        @return: fires with what a new session goes on with.
        """
        return Deferred.fromCoroutine(self.stitching.predecessor([KEY], host or self.host))

    def found(self, host: str | None = None) -> SessionData | None:
        """
        @return: that, at once.
        """
        return self.successResultOf(self.find(host))


class OwnTests(StitchingTestCase):
    """
    The recording is this node's.
    """

    def test_silent(self) -> None:
        """
        One without a sign of life is given up, and claimed once more.
        """
        self.wait(2)
        record = self.found()
        assert record is not None
        self.assertEqual(
            (record.sessionID, record.nodeID, record.epoch), (self.recordingID, "n1", 2)
        )
        self.assertEqual((self.a.service.recordings, self.stitching.stitched), ({}, 1))

    def test_busy(self) -> None:
        """
        One that was heard of just now stays as it is.
        """
        self.a.calls[0].heard = self.a.now()
        self.assertIsNone(self.found())
        self.assertEqual(list(self.a.service.recordings), [self.recordingID])

    def test_otherHost(self) -> None:
        """
        A session from another host is another recording.
        """
        self.wait(2)
        self.assertIsNone(self.found("192.0.2.99"))

    def test_noWindow(self) -> None:
        """
        Without a window nothing is looked for.
        """
        self.wait(2)
        self.stitching = self.stitchingOf(0)
        self.assertIsNone(self.found())

    def test_storeAway(self) -> None:
        """
        With the store away the session gets a recording of its own.
        """
        self.wait(2)
        self.a.store.away = True
        finding = self.find()
        self.wait(0.5)
        self.assertIsNone(self.successResultOf(finding))
        self.a.store.away = False

    def test_takenUp(self) -> None:
        """
        One that is just being taken up is waited for.
        """
        self.wait(2)
        self.taking = Deferred()
        finding = self.find()
        self.assertNoResult(finding)
        self.taking.callback(None)
        self.assertIsNotNone(self.successResultOf(finding))

    def unheard(self) -> Deferred[SessionData | None]:
        """
        Look for one that was taken up just now, and has not been heard since.
        """
        [call] = self.a.calls
        call.takenUp = call.heard = self.a.now()
        finding = self.find()
        self.wait(0.8)
        self.assertNoResult(finding)
        return finding

    def test_takenUpUnheard(self) -> None:
        """
        That it was taken up is no sign of its client: it has a second to give one.
        """
        finding = self.unheard()
        self.wait(0.3)
        self.assertIsNotNone(self.successResultOf(finding))

    def test_takenUpHeard(self) -> None:
        """
        If its client does, the new session is another recording, at once.
        """
        finding = self.unheard()
        self.a.calls[0].heard = self.a.now()
        self.wait(0.1)
        self.assertIsNone(self.successResultOf(finding))

    def test_takenUpGivenAway(self) -> None:
        """
        If it leaves this node meanwhile, its record is all that there is.
        """
        finding = self.unheard()
        self.a.recorder.letGo(self.recordingID)
        self.wait(0.1)
        self.assertIsNotNone(self.successResultOf(finding))


class AnothersTests(StitchingTestCase):
    """
    The recording is another node's.
    """

    def setUp(self) -> None:
        super().setUp()
        self.a.recorder.letGo(self.recordingID)
        self.a.state.adapter.forget(self.recordingID)
        self.memory.claim(self.recordingID, NodeID("n9"), 1)

    def ended(self, ago: float, reason: str) -> None:
        """
        Let its call have ended.
        """
        record = self.record(self.recordingID)
        assert record.snapshot is not None
        recording = evolve(
            record.snapshot.recording,
            state="finishing",
            endTime=self.a.now() - ago,
            endReason=reason,
        )
        snapshot = evolve(record.snapshot, recording=recording)
        self.memory.update(evolve(record, snapshot=snapshot), 3600)

    def test_dead(self) -> None:
        """
        Where that node is dead nobody is asked.
        """
        self.dead.add(NodeID("n9"))
        record = self.found()
        assert record is not None
        self.assertEqual((record.nodeID, self.links.sent), ("n1", []))

    def test_asked(self) -> None:
        """
        A living one is asked to give it up.
        """
        self.assertIsNotNone(self.found())
        self.assertEqual(self.links.sent, [("n9", "stitch.release", {"id": self.recordingID})])

    def test_unreachable(self) -> None:
        """
        Where it cannot be asked it keeps the recording.
        """
        self.links.reachable = False
        self.assertIsNone(self.found())
        self.assertEqual(self.owners(), ["n9"])

    def test_window(self) -> None:
        """
        What was abandoned waits as long as the window is, and no longer; what
        ended in order does not.
        """
        self.ended(9, "bye")
        self.assertIsNone(self.found())
        self.ended(31, "timeout")
        self.assertIsNone(self.found())
        self.ended(29, "timeout")
        self.assertIsNotNone(self.found())


class ReleaseTests(StitchingTestCase):
    """
    Another node asks for a recording of this one.
    """

    def release(self, key: str) -> Deferred[None]:
        """
        Ask for it.
        """
        return Deferred.fromCoroutine(self.links.answers["stitch.release"](None, {"id": key}))

    def test_released(self) -> None:
        """
        A silent one is given up without a word; one that is not here, too.
        """
        self.wait(2)
        self.a.wire.take()
        self.successResultOf(self.release(self.recordingID))
        self.successResultOf(self.release("unknown"))
        self.assertEqual((self.a.calls, self.sent(0)), ([], []))

    def test_goesOn(self) -> None:
        """
        One that goes on is not.
        """
        self.a.calls[0].heard = self.a.now()
        self.failureResultOf(self.release(self.recordingID), NotReleased)
        self.assertEqual(len(self.a.calls), 1)
