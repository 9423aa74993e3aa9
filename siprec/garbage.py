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

__all__ = ["MOST", "MUCH", "YOUNG", "Collecting", "settle", "undisturbed"]

log = Logger()

#: How many more objects must have been made than dropped before the young ones are
#: looked through.  With Python's own 700 that was done several times for each call, and
#: found nearly nothing: what a call leaves behind is freed by its reference counts.
YOUNG = 20_000

#: How many there may be before that is done at once, whoever waits.
MOST = 100_000

#: All of them are looked through when so many more have stayed than twice those that stayed
#: the last time.  It takes a second where there are thousands of calls, in which nothing is
#: answered; and finds little, as what a call leaves behind is freed by its reference counts.
MUCH = 1_000_000

# Seconds between two looks at how many there are.
_LOOK = 0.25

# So many times the young ones are looked through before those that stayed are, too.
_AGAIN = 10

# So many times before all are counted, which takes as long as to look through the young ones.
_COUNTED = 100

# The interpreter by itself does that after as many times, and never looks through all.
_NEVER = 1_000_000

_OLD = 2  # the generation of those that stay


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
    gc.set_threshold(MOST, _AGAIN, _NEVER)


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
    _stayed: int = field(default=0, init=False)
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
        if self._times % _AGAIN:
            gc.collect(0)
            return
        gc.collect(1)
        if self._times % _COUNTED == 0 and len(gc.get_objects(_OLD)) > 2 * self._stayed + MUCH:
            gc.collect()
            self._stayed = len(gc.get_objects(_OLD))
