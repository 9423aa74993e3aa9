"""
How much room there is for recordings.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from siprec.rounds import Rounds

__all__ = ["Disk"]

#: How often the free space is looked at, in seconds.
INTERVAL = 2.0


@define(eq=False, repr=False, slots=False)
class Disk(Service):
    """
    Looks at the file system of the recordings directory while it runs.

    @ivar root: the recordings directory, absolute.
    @ivar free: octets that are free for this program; C{None} where that cannot
        be found out, or has not been yet.
    @ivar onLook: called after each look.
    """

    root: str
    _clock: IReactorTime
    free: int | None = field(default=None, init=False)
    _rounds: Rounds = field(init=False)
    onLook: Callable[[], None] = field(default=lambda: None, init=False)
    _waiting: list[Deferred[bool]] = field(factory=list, init=False)

    @_rounds.default
    def _makeRounds(self) -> Rounds:
        return Rounds(self._clock, INTERVAL, self._look, "the room on the disk was not looked at")

    def startService(self) -> None:
        """
        Look, and then every L{INTERVAL} seconds.
        """
        super().startService()
        self._rounds.start()

    def stopService(self) -> Deferred[None]:
        """
        Look no more, and tell those who wait for it.
        """
        super().stopService()
        ended = self._rounds.stop()
        self._tell(again=False)
        return ended

    def nextLook(self) -> Deferred[bool]:
        """
        @return: fires with true after the next look, with false if there is none
            any more.
        """
        if not self.running:
            return succeed(False)
        look: Deferred[bool] = Deferred()
        self._waiting.append(look)
        return look

    def _look(self) -> None:
        try:
            # The dot: a file in the place of the directory must not count.
            found = os.statvfs(os.path.join(self.root, "."))
        except OSError:
            # Logged where it hurts: at the next call, and in /readyz.
            self.free = None
        else:
            self.free = found.f_bavail * found.f_frsize
        self.onLook()
        self._tell(again=True)

    def _tell(self, again: bool) -> None:
        waiting, self._waiting = self._waiting, []
        for look in waiting:
            look.callback(again)
