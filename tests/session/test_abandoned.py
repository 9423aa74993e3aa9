"""
Tests of L{siprec.session.abandoned}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from siprec.session.abandoned import Abandoned
from tests.session.livecase import LiveTestCase
from tests.session.recordings import dialog
from tests.session.servicecase import ServiceTestCase


class AbandonedTests(LiveTestCase):
    """
    A recording waits for another session of its call.
    """

    def setUp(self) -> None:
        super().setUp()
        self.clock, self.over = Clock(), False
        self.abandoned = Abandoned(self.clock)

    def wait(self, window: float = 10.0) -> Deferred[bool]:
        """
        @return: whether it is to be finished.
        """
        waiting = self.abandoned.stayed(self.live, window, lambda: self.over)
        return Deferred.fromCoroutine(waiting)

    def test_nobody(self) -> None:
        """
        Where no session comes in time, it is to be finished.
        """
        waiting = self.wait()
        self.clock.pump([0.25] * 39)
        self.assertIn(self.live, self.abandoned)
        self.assertNoResult(waiting)
        self.clock.advance(0.25)
        self.assertTrue(self.successResultOf(waiting))
        self.assertNotIn(self.live, self.abandoned)

    def test_goesOn(self) -> None:
        """
        Where one goes on with it, it is not.
        """
        waiting = self.wait()
        self.abandoned.discard(self.live)
        self.assertNotIn(self.live, self.abandoned)
        self.clock.advance(0.25)
        self.assertFalse(self.successResultOf(waiting))

    def test_givenUp(self) -> None:
        """
        A node that stops waits no more.
        """
        waiting = self.wait()
        self.over = True
        self.clock.advance(0.25)
        self.assertTrue(self.successResultOf(waiting))

    def test_noWindow(self) -> None:
        """
        Without a window nothing is waited for.
        """
        self.assertTrue(self.successResultOf(self.wait(0.0)))


class RecordingsTests(ServiceTestCase):
    """
    A node whose recordings wait.
    """

    def setUp(self) -> None:
        super().setUp()
        self.service.window = 10.0
        self.recording = self.begin()
        saving = self.service.save(self.recording, dialog())
        self.successResultOf(Deferred.fromCoroutine(saving))

    def test_finished(self) -> None:
        """
        It is finished when the time is over.
        """
        done = self.service.finish(self.recording, "peerGone")
        self.assertTrue(self.service.isWaiting(self.recording))
        self.assertEqual(self.manifest(self.recording)["state"], "finishing")
        self.assertEqual(self.renderer.directories, [])
        self.clock.pump([0.25] * 40)
        self.successResultOf(done)
        self.assertFalse(self.service.isWaiting(self.recording))
        self.assertEqual(self.manifest(self.recording)["state"], "complete")

    def test_wished(self) -> None:
        """
        One whose client ended it waits for nothing.
        """
        self.assertEqual(self.finish(self.recording, "bye")["state"], "complete")

    def test_draining(self) -> None:
        """
        Nor does a node that is to stop.
        """
        self.service.draining = True
        self.assertEqual(self.finish(self.recording, "peerGone")["state"], "complete")

    def test_goesOn(self) -> None:
        """
        What goes on in another session is neither rendered nor forgotten by the store,
        and its marker stays.
        """
        done = self.service.finish(self.recording, "peerGone")
        self.service.letGo(self.recording)
        self.clock.advance(0.25)
        self.successResultOf(done)
        self.assertEqual(self.renderer.directories, [])
        identity = self.recording.recording.id
        self.assertEqual(self.successResultOf(self.store.list()), [identity])
        self.assertEqual(self.markers(), [identity])
        self.assertEqual(self.service.recordings, {})
