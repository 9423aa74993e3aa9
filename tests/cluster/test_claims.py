"""
Tests of L{siprec.cluster.claims}.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred, fail

from siprec.cluster.claims import KEPT, WANTED
from siprec.cluster.errors import PeerFailed
from siprec.cluster.segments import INTERVAL
from siprec.ids import RecordingID
from siprec.session.manifest import writeManifest
from siprec.session.running import Orphan
from siprec.store.interfaces import StoreUnavailable
from tests.cluster.segmentscase import FIRST, SECOND, A, B, SegmentsCase, TestNode, fileIn
from tests.session.recordings import identity


class ClaimsCase(SegmentsCase):
    """
    C{b} comes back after a crash in a call.
    """

    def setUp(self) -> None:
        super().setUp()
        self.recording = self.copy()
        self.b.running.add(identity(), self.b.directory())

    def orphans(self, node: TestNode | None = None) -> list[Orphan]:
        """
        @return: what a node finds when it starts.
        """
        return (node or self.b).running.own()

    def wanted(self, node: TestNode | None = None) -> Deferred[set[RecordingID]]:
        """
        Ask whose they are.
        """
        asker = node or self.b
        return Deferred.fromCoroutine(asker.segments.wanted(self.orphans(asker)))

    def isWanted(self) -> bool:
        """
        @return: whether C{b} must not recover it.
        """
        return self.successResultOf(self.wanted()) == {identity()}

    def ends(self) -> tuple[str, str | None]:
        """
        @return: state and reason of the end at C{b}.
        """
        manifest = self.b.manifest()
        return manifest["state"], manifest["endReason"]

    def goesOn(self) -> None:
        """
        Have C{a} go on with the call.
        """
        recording = self.call(self.a.root, B, A)
        self.write(recording, {"2-0.rtpdump": SECOND}, ())
        self.a.live(recording)


class WantedTests(ClaimsCase):
    """
    Another node has it, or none.
    """

    def test_nobody(self) -> None:
        """
        What nobody wants is recovered, and looks as before.
        """
        self.start(self.a, self.b)
        self.assertFalse(self.isWanted())
        self.assertEqual(self.ends(), ("recording", None))

    def test_alone(self) -> None:
        """
        So is all of a node that is alone.
        """
        self.a.links.away = True
        self.start(self.b)
        self.assertFalse(self.isWanted())

    def test_live(self) -> None:
        """
        A call that goes on elsewhere is kept; the other node fetches what is here, and
        then it is removed.
        """
        self.goesOn()
        self.start(self.a, self.b)
        self.assertTrue(self.isWanted())
        self.assertEqual(self.ends(), ("incomplete", "takenOver"))
        self.assertEqual(self.b.segments.counters["kept"], 1)
        self.pieces()
        self.assertIn("1-0.rtpdump", self.a.files())
        self.assertEqual((self.b.files(), self.b.markers()), ([], []))

    def test_finished(self) -> None:
        """
        So is one that was finished elsewhere, even if that lacks nothing.
        """
        self.start(self.a)
        self.b.links.away = True
        journals = {"1-0.rtpdump": FIRST, "1-1.rtpdump": FIRST}
        self.write(self.call(self.a.root, B, A), journals)
        self.assertEqual(self.finish()["state"], "complete")
        self.b.links.away = False
        self.start(self.b)
        self.assertTrue(self.isWanted())
        self.pieces()
        self.assertEqual((self.b.files(), self.a.marks()), ([], []))

    def test_copyElsewhere(self) -> None:
        """
        A node that has but a copy itself does not want it.
        """
        self.write(self.call(self.a.root, A), {"1-0.rtpdump": SECOND})
        self.start(self.a, self.b)
        self.assertFalse(self.isWanted())
        self.a.running.add(identity(), self.a.directory())
        self.assertEqual(self.successResultOf(self.wanted(self.a)), set())

    def test_damagedElsewhere(self) -> None:
        """
        Nor one whose manifest cannot be read.
        """
        self.write(self.call(self.a.root, A), {"1-0.rtpdump": SECOND})
        with open(os.path.join(self.a.directory(), "recording.json"), "w") as file:
            file.write("{")
        self.start(self.a, self.b)
        self.assertFalse(self.isWanted())

    def test_ownRecord(self) -> None:
        """
        What the store says is this node's is recovered, or goes on.
        """
        self.owns(self.b)
        self.start(self.b)
        self.assertFalse(self.isWanted())

    def test_storeOnly(self) -> None:
        """
        What only the store knows of is not touched: its owner may share this very
        directory.  It is asked for again, and recovered when nobody has it any more.
        """
        self.owns(self.a)
        self.a.links.away = True
        self.start(self.b)
        self.assertTrue(self.isWanted())
        self.assertEqual(self.ends(), ("recording", None))
        self.clock.advance(INTERVAL)
        self.assertEqual(self.b.recovered, [])
        self.successResultOf(self.a.store.delete(identity()))
        self.clock.advance(INTERVAL)
        self.assertEqual(self.b.recovered, [identity()])
        self.clock.advance(INTERVAL)
        self.assertEqual(self.b.recovered, [identity()])

    def test_ownerTurnsUp(self) -> None:
        """
        If the owner turns up with a directory of its own, it is a copy.
        """
        self.owns(self.a)
        self.a.links.away = True
        self.start(self.b)
        self.assertTrue(self.isWanted())
        self.a.links.away = False
        self.goesOn()
        self.start(self.a)
        self.clock.advance(INTERVAL)
        self.pieces()
        self.assertEqual(self.b.files(), [])

    def test_shared(self) -> None:
        """
        If it is another one's in the same directory, nothing is touched but the mark.
        """
        c = self.makeNode(A, self.b.root)
        recording = self.call(c.root, B, A)
        self.write(recording, {"2-0.rtpdump": SECOND}, ())
        c.live(recording)
        self.start(c, self.b)
        self.assertTrue(self.isWanted())
        self.assertEqual(self.b.markers(), [])
        self.assertEqual(self.ends(), ("recording", None))
        self.assertIn("1-0.rtpdump", self.b.files())
        self.assertEqual(c.marks(), [])

    def test_sharedLater(self) -> None:
        """
        So it is if that other node takes it up later than it is asked for.
        """
        self.owns(self.a)
        c = self.makeNode(A, self.b.root)
        self.start(c, self.b)
        self.assertTrue(self.isWanted())
        self.assertEqual(self.b.markers(), [identity()])
        c.live(self.call(c.root, B, A))
        self.clock.advance(INTERVAL)
        self.clock.advance(INTERVAL)
        self.assertEqual((self.b.markers(), self.b.recovered), ([], []))
        self.assertEqual(self.ends(), ("recording", None))

    def test_sharedFinished(self) -> None:
        """
        What lies finished in the same directory may be the asker's own.
        """
        c = self.makeNode(A, self.b.root)
        writeManifest(self.b.directory(), {**self.b.manifest(), "state": "complete"})
        self.start(c, self.b)
        self.assertFalse(self.isWanted())

    def test_ownFinished(self) -> None:
        """
        What is finished here already is no copy, whoever wants it.
        """
        self.goesOn()
        writeManifest(self.b.directory(), {**self.b.manifest(), "state": "complete"})
        self.start(self.a, self.b)
        self.assertFalse(self.isWanted())

    def test_storeAway(self) -> None:
        """
        As long as the store does not answer it is waited.
        """
        restore = self.patch(self.b.store, "get", lambda key: fail(StoreUnavailable("away")))
        self.start(self.b)
        waiting = self.wanted()
        self.assertNoResult(waiting)
        restore.restore()
        self.clock.advance(2)
        self.assertEqual(self.successResultOf(waiting), set())

    def test_stop(self) -> None:
        """
        If the node stops meanwhile, nothing is recovered.
        """
        self.patch(self.b.store, "get", lambda key: fail(StoreUnavailable("away")))
        self.start(self.b)
        waiting = self.wanted()
        self.stop(self.b)
        self.assertEqual(self.successResultOf(waiting), {identity()})

    def test_lookingStops(self) -> None:
        """
        While that is so, no second look begins.
        """
        self.owns(self.a)
        self.a.links.away = True
        self.start(self.b)
        self.assertTrue(self.isWanted())
        asked: list[str] = []

        def get(key: str) -> Deferred[Any]:
            asked.append(key)
            return fail(StoreUnavailable("away"))

        self.patch(self.b.store, "get", get)
        self.clock.advance(INTERVAL)
        self.clock.advance(INTERVAL)
        self.assertEqual(len(asked), 2)

    def test_noAnswer(self) -> None:
        """
        A node that answers nothing, or nonsense, wants nothing.
        """
        self.start(self.a, self.b)
        answers: list[Any] = [None, {}, {"root": "x"}, {"root": "x", "ids": 7}, {"ids": []}]
        for answer in answers:
            self.a.links.spoil[WANTED] = lambda _, found=answer: found  # type: ignore[misc]
            self.assertFalse(self.isWanted())
        self.a.links.held = []
        waiting = self.wanted()
        self.clock.advance(15)
        self.assertEqual(self.successResultOf(waiting), set())


class KeptTests(ClaimsCase):
    """
    Nobody comes for a copy.
    """

    def setUp(self) -> None:
        super().setUp()
        self.goesOn()
        self.start(self.a, self.b)
        self.a.links.spoil[WANTED] = self.only
        self.assertTrue(self.isWanted())
        self.network[A].away = True
        self.stop(self.a)

    def only(self, answer: Any) -> Any:
        """
        Have C{a} go away when it has said what it wants.
        """
        self.network[B].away = True
        self.addCleanup(setattr, self.network[B], "away", False)
        return answer

    def test_expires(self) -> None:
        """
        After seven days it becomes a recording of its own, as it would have without the
        other node.
        """
        self.clock.advance(KEPT - 10)
        self.clock.advance(INTERVAL)
        self.clock.advance(INTERVAL)
        self.assertEqual(self.b.recovered, [identity()])
        self.assertEqual(self.ends(), ("recording", None))
        self.assertEqual(self.b.segments.counters["expired"], 1)

    def test_notYet(self) -> None:
        """
        Not a minute sooner, across restarts.
        """
        self.clock.advance(KEPT - 100)
        self.assertEqual(self.b.recovered, [])
        self.stop(self.b)
        self.renew(self.b)
        self.start(self.b)
        self.assertEqual(self.orphans()[0].id, identity())
        self.assertEqual(self.ends(), ("incomplete", "takenOver"))

    def test_expiredAtStart(self) -> None:
        """
        A start after that time recovers it at once, whoever wants it.
        """
        self.stop(self.b)
        self.network[A].away = self.network[B].away = False
        self.clock.advance(KEPT + 1)
        self.renew(self.b)
        self.renew(self.a)
        del self.a.links.spoil[WANTED]
        self.start(self.a, self.b)
        self.assertFalse(self.isWanted())
        self.assertEqual(self.ends(), ("recording", None))

    def test_back(self) -> None:
        """
        A call that has come back is left alone.
        """
        self.b.live(self.recording)
        self.clock.advance(KEPT + INTERVAL)
        self.assertEqual(self.b.recovered, [])


class AnswerTests(ClaimsCase):
    """
    What another node asks.
    """

    def test_nonsense(self) -> None:
        """
        What is no question is refused.
        """
        self.start(self.a)
        bodies: list[Any] = [
            None,
            {"ids": []},
            {"root": "x"},
            {"root": "x", "ids": "x"},
            {"root": "x", "ids": ["../x"]},
            {"root": "x", "ids": [7]},
            {"root": "x", "ids": [identity()] * 501},
        ]
        for body in bodies:
            failure = self.failureResultOf(self.b.links.request(A, WANTED, body), PeerFailed)
            self.assertEqual(failure.value.name, "BadQuestion")

    def test_answer(self) -> None:
        """
        The answer says which directory it is for.
        """
        self.start(self.a)
        answer = self.successResultOf(
            self.b.links.request(A, WANTED, {"root": "x", "ids": [identity()]})
        )
        root = fileIn(os.path.join(self.a.root, ".missing"), "root").decode()
        self.assertEqual(answer, {"root": root, "ids": []})
