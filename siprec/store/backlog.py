"""
What a second store has still to be told: bounded, the latest of each session.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TypeVar

from attrs import define, evolve, field, frozen

from siprec.session.model import SessionData

__all__ = ["Backlog", "Copy", "Deletion", "Extension", "Step"]


@frozen(eq=False)
class Copy:
    """
    A record is to be there.

    @ivar until: when it may be dropped, on the backlog's clock.
    @ivar since: since when the second store has been behind in this session.
    """

    data: SessionData
    until: float
    since: float


@frozen(eq=False)
class Extension:
    """
    A record is to live longer.

    @ivar until: when it may be dropped, on the backlog's clock.
    @ivar since: since when the second store has been behind in this session.
    """

    epoch: int
    until: float
    since: float


@frozen(eq=False)
class Deletion:
    """
    A record is to be gone.

    @ivar since: since when the second store has been behind in this session.
    """

    since: float


Step = Copy | Extension | Deletion
_Step = TypeVar("_Step", Copy | Extension, Deletion)


@define(eq=False, repr=False)
class Backlog:
    """
    The steps that are left, each until L{done} says that it was taken.  A
    session has a deletion, a change, or a deletion and then a change.

    @ivar _limit: most changes, and most deletions, that are kept.
    @ivar _seconds: the clock.
    @ivar dropped: how many did not fit.
    """

    _limit: int
    _seconds: Callable[[], float]
    _changes: dict[str, Copy | Extension] = field(factory=dict, init=False)
    # Kept apart, so that however many changes there are, none of them pushes a
    # deletion out: what was not deleted would rise from the dead.
    _deletions: dict[str, Deletion] = field(factory=dict, init=False)
    dropped: int = field(default=0, init=False)

    def __len__(self) -> int:
        return len(self._changes) + len(self._deletions)

    def write(self, data: SessionData, ttl: float) -> bool:
        """
        A record was written.

        @return: whether nothing had to be dropped for it.
        """
        now = self._seconds()
        before = self._changes.get(data.sessionID)
        if (
            isinstance(before, Copy)
            # A record that was created again begins at version 1 again.
            and data.sessionID not in self._deletions
            and (before.data.epoch, before.data.version) > (data.epoch, data.version)
        ):
            return True
        since = now if before is None else before.since
        return self._change(data.sessionID, Copy(data, now + ttl, since))

    def extend(self, sessionID: str, ttl: float, epoch: int) -> bool:
        """
        A record got more time.

        @return: whether nothing had to be dropped for it.
        """
        now = self._seconds()
        before = self._changes.get(sessionID)
        if before is None:
            return self._change(sessionID, Extension(epoch, now + ttl, now))
        return self._change(sessionID, evolve(before, until=now + ttl))

    def delete(self, sessionID: str) -> bool:
        """
        A record was deleted.

        @return: whether nothing had to be dropped for it.
        """
        change = self._changes.pop(sessionID, None)
        before = self._deletions.pop(sessionID, None) or change
        self._deletions[sessionID] = Deletion(self._seconds() if before is None else before.since)
        return self._fit(self._deletions)

    def next(self, most: int) -> list[tuple[str, Step]]:
        """
        @return: steps that can be taken at once, each of another session; the
            oldest first, and deletions before changes.
        """
        if self._deletions:
            return list(islice(self._deletions.items(), most))
        return list(islice(self._changes.items(), most))

    def done(self, sessionID: str, step: Step) -> None:
        """
        A step was taken; what came after it remains.
        """
        if self._deletions.get(sessionID) is step:
            del self._deletions[sessionID]
        elif self._changes.get(sessionID) is step:
            del self._changes[sessionID]

    def copy(self, sessionID: str) -> SessionData | None:
        """
        @return: the record as it was written last, if it is still to be told.
        """
        change = self._changes.get(sessionID)
        left = 0.0 if change is None else change.until - self._seconds()
        if not isinstance(change, Copy) or left <= 0:
            return None
        return evolve(change.data, remaining=left)

    def deleted(self, sessionID: str) -> bool:
        """
        @return: whether a deletion is the last that is still to be told.
        """
        return sessionID in self._deletions and sessionID not in self._changes

    def corrected(self, sessionIDs: list[str], wanted: Callable[[SessionData], bool]) -> list[str]:
        """
        @param sessionIDs: what the second store has listed.
        @param wanted: what it was asked for.
        @return: what it would list if it had been told all.
        """
        kept = [each for each in sessionIDs if not self.deleted(each)]
        copies = [copy for each in self._changes if (copy := self.copy(each)) is not None]
        known = {copy.sessionID for copy in copies}
        listed = [each for each in kept if each not in known]
        return listed + [copy.sessionID for copy in copies if wanted(copy)]

    def age(self) -> float:
        """
        @return: seconds since the oldest step came; 0 if there is none.
        """
        steps = [*self._changes.values(), *self._deletions.values()]
        return self._seconds() - min(step.since for step in steps) if steps else 0.0

    def _change(self, sessionID: str, change: Copy | Extension) -> bool:
        self._changes[sessionID] = change
        return self._fit(self._changes)

    def _fit(self, steps: dict[str, _Step]) -> bool:
        if len(steps) <= self._limit:
            return True
        del steps[next(iter(steps))]
        self.dropped += 1
        return False
