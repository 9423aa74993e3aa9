"""
The garbage collector of a program that runs for months.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from siprec.rounds import Rounds

__all__ = ["MOST", "YOUNG", "Collecting", "settle", "undisturbed"]

log = Logger()

#: How many more objects must have been made than dropped before the young ones are
#: looked through.  With Python's own 700 that was done several times for each call, and
#: found nearly nothing: what a call leaves behind is freed by its reference counts.
YOUNG = 20_000

#: How many there may be before that is done at once, whoever waits.
MOST = 500_000

# Seconds between two looks at how many there are.
_LOOK = 0.25

# So many times the young ones are looked through before those that stayed are, too; and so
# many times that before all are, which may take half a second where there are many calls.
_AGAIN, _ALL = 10, 1000


@contextmanager
def undisturbed() -> Iterator[None]:
    """
    Do not collect while modules are loaded, and take what is there then for good.

    To look through it again and again was an eighth of what the start takes; of its
    memory, a fiftieth could be freed.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def settle() -> None:
    """
    Take what is there now for good, and collect more seldom.

    A tenth of what a call cost was collection, most of it looking through the modules
    and classes of the program again and again, for up to a tenth of a second at a time,
    in which nothing was answered.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(MOST, 10, 10)


@define(eq=False, repr=False)
class Collecting:
    """
    Collects when there is nothing else to do, so that the interpreter need not do it while
    a peer waits for an answer.
    """

    _clock: IReactorTime
    # Fires when there is nothing else to do.
    _turn: Callable[[], Deferred[None]]
    _waiting: bool = field(default=False, init=False)
    _times: int = field(default=0, init=False)
    _rounds: Rounds = field(init=False)

    @_rounds.default
    def _makeRounds(self) -> Rounds:
        return Rounds(self._clock, _LOOK, self._look, "garbage was not looked for")

    def start(self) -> None:
        """
        L{settle}, and collect from now on.
        """
        settle()
        self._rounds.start(now=False)

    def _look(self) -> None:
        if gc.get_count()[0] > YOUNG and not self._waiting:
            self._waiting = True
            self._turn().addCallback(self._collect).addErrback(
                lambda failure: log.failure("garbage was not collected", failure)
            )

    def _collect(self, _: None) -> None:
        self._waiting = False
        self._times += 1
        if self._times % (_AGAIN * _ALL) == 0:
            gc.collect()
        else:
            gc.collect(1 if self._times % _AGAIN == 0 else 0)
