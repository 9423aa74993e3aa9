"""
When the directory of a recording that begins is made, and its capture begins: before its
call is answered; or soon after that, where others wait for an answer, too.

Until then media waits in the sockets, which have room for a second of it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from siprec.session.postponed import AtOnce, Turns

__all__ = ["Making", "made"]

log = Logger()


def _nobody() -> None:
    """
    Nobody is to be told.
    """


@define(eq=False, repr=False)
class Making:
    """
    Makes the directory of one recording.

    @ivar wanted: whether it is to be made still.
    @ivar failed: whether it could not be made, though the call was answered.
    @ivar onFailed: called then.
    """

    _postponed: Turns
    # Makes it, and begins the capture.
    _make: Callable[[], Coroutine[Any, Any, None]]
    # Whether the call has ended and nothing has come.
    _canWait: Callable[[], bool]
    wanted: bool = field(default=True, init=False)
    failed: bool = field(default=False, init=False)
    onFailed: Callable[[], None] = field(default=_nobody, init=False)
    _waiting: list[Deferred[None]] | None = field(default=None, init=False)

    async def begin(self) -> None:
        """
        Make it, or see to it that it is made soon.

        @raise Exception: as the making does, where that was done.
        """
        if not self._postponed.busy:
            self.wanted = False
            await self._make()
            return
        self._waiting = []
        making = Deferred.fromCoroutine(self._makeSoon())
        making.addErrback(lambda failure: log.failure("a directory was not made", failure))
        making.addCallback(lambda _: self._done())

    async def _makeSoon(self) -> None:
        await self._postponed.soon(self._canWait)
        if not self.wanted:
            return
        self.wanted = False
        try:
            await self._make()
        except Exception:
            self.failed = True
            self.onFailed()
            raise

    def _done(self) -> None:
        waiting, self._waiting = self._waiting or [], None
        for each in waiting:
            each.callback(None)

    async def done(self) -> None:
        """
        Wait until it is made, or will not be.
        """
        if self._waiting is not None:
            done: Deferred[None] = Deferred()
            self._waiting.append(done)
            await done


async def _nothing() -> None:
    """
    It is there.
    """


def made() -> Making:
    """
    @return: of a recording whose directory is seen to elsewhere.
    """
    making = Making(AtOnce(), _nothing, lambda: False)
    making.wanted = False
    return making
