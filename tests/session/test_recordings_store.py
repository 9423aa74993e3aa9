"""
Tests of L{siprec.session.recordings}: its store, and its end.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from siprec.session.interfaces import RendererStopped
from siprec.store.interfaces import StoreUnavailable
from tests.session.recordings import START, HeldWorkers, dialog
from tests.session.servicecase import ServiceTestCase


class StoreTests(ServiceTestCase):
    """
    The store may be away.
    """

    def test_save(self) -> None:
        """
        A snapshot has the recording, the dialog and the time.
        """
        live = self.begin()
        self.clock.advance(1)
        self.successResultOf(Deferred.fromCoroutine(self.service.save(live, dialog())))
        snapshot = self.successResultOf(self.store.load(live.recording.id))
        self.assertEqual(snapshot.recording, live.recording)
        self.assertEqual(snapshot.dialog, dialog())
        self.assertEqual(snapshot.lastActivity, START + 1)

    def test_away(self) -> None:
        """
        Neither saving nor deleting a snapshot costs more than a log entry.
        """
        self.store.away = True
        live = self.begin()
        self.successResultOf(Deferred.fromCoroutine(self.service.save(live, dialog())))
        self.assertEqual(len(self.flushLoggedErrors(StoreUnavailable)), 1)
        self.assertEqual(self.finish(live)["state"], "complete")
        self.assertEqual(len(self.flushLoggedErrors(StoreUnavailable)), 1)
        self.assertEqual(self.markers(), [])


class DrainTests(ServiceTestCase):
    """
    Waiting for the end of everything.
    """

    def test_idle(self) -> None:
        """
        Without recordings there is nothing to wait for.
        """
        self.successResultOf(self.service.drained())

    def test_recordings(self) -> None:
        """
        It takes as long as any recording is not finished.
        """
        one, two = self.begin(), self.begin()
        drained = self.service.drained()
        self.finish(one)
        self.assertNoResult(drained)
        self.renderer.waiting = []
        self.service.finish(two, "bye")
        self.assertNoResult(drained)
        self.renderer.waiting[0].errback(RendererStopped())
        self.successResultOf(drained)

    def test_beginning(self) -> None:
        """
        What is being begun counts too: it is still to be ended.
        """
        self.workers = HeldWorkers()
        self.restart()
        beginning = self.beginning()
        drained = self.service.drained()
        self.assertNoResult(drained)
        self.workers.work()
        live = self.successResultOf(beginning)
        self.assertNoResult(drained)
        done = self.service.finish(live, "cancelled")
        while self.workers.work():
            pass
        self.successResultOf(done)
        self.successResultOf(drained)

    def test_giveUp(self) -> None:
        """
        Who gives up waiting ends no recording by that: what is being rendered
        goes on.
        """
        live = self.begin()
        self.renderer.waiting = []
        done = self.service.finish(live, "bye")
        drained = self.service.drained()
        failures: list[Failure] = []
        drained.addErrback(failures.append)
        drained.cancel()
        self.assertEqual(len(failures), 1)
        self.assertNoResult(done)
        self.assertEqual(self.manifest(live)["state"], "finishing")
        self.renderer.waiting[0].errback(RendererStopped())
        self.successResultOf(done)
        self.assertEqual(self.markers(), [live.recording.id])
