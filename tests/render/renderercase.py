"""
A renderer whose processes do what a test says.
"""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.render.process import Renderer
from siprec.session.interfaces import RendererStopped
from tests.render.processes import FakeReactor

__all__ = ["RendererCase"]


class RendererCase(SynchronousTestCase):
    """
    A test with a renderer.
    """

    def setUp(self) -> None:
        """
        Start a renderer of two workers, each for three recordings, and none ahead.
        """
        self.reactor, self.clock = FakeReactor(), Clock()
        self.renderer = Renderer(
            self.reactor, self.clock, workers=2, timeout=60, jobs=3, idle=20, ahead=0
        )
        self.renderer.startService()
        self.addCleanup(self._stopped)

    def _stopped(self) -> None:
        """
        After a stop nothing is left on the clock.
        """
        stopped = self.renderer.stopService()
        for process in self.reactor.processes:
            if not process.protocol.ended.called:
                self.assertEqual(set(process.signals), {"KILL"})
                process.die()
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def render(self, directory: str = "/r") -> Deferred[dict[str, Any]]:
        """
        Have a recording rendered.
        """
        done = self.renderer.render(directory)
        # What a test gives up is stopped at its end.
        self.addCleanup(done.addErrback, lambda why: why.trap(RendererStopped) and None)
        return done

    def asked(self) -> list[list[str]]:
        """
        @return: what each process was asked for.
        """
        return [process.asked for process in self.reactor.processes]

    def signals(self) -> list[list[str | int]]:
        """
        @return: what each process was told.
        """
        return [each.signals for each in self.reactor.processes]
