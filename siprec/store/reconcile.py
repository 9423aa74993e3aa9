"""
Bringing two stores together again, one session at a time, by version.
"""

from __future__ import annotations

from enum import Enum

from siprec.session.model import SessionData
from siprec.store.interfaces import (
    ISessionStore,
    NotOwner,
    SessionDeleted,
    SessionNotFound,
)

__all__ = ["Outcome", "reconcile"]

# Seconds by which the second store's copy may die early before it is given
# more time: two reads of the same time to live differ by their round trips.
_SLACK = 1.0


class Outcome(Enum):
    """
    What it took to make a session the same in both stores.
    """

    SAME = "same"
    FOLLOWED = "followed"  # the second store was behind
    RESTORED = "restored"  # the primary was, having lost writes
    BURIED = "buried"  # the second did not know that it is deleted


async def reconcile(
    sessionID: str, primary: ISessionStore, second: ISessionStore, remember: float
) -> Outcome:
    """
    Make a session the same in both.  The newer record wins; where just one
    store has it, it wins too, unless the primary remembers its deletion.

    @param remember: seconds for which the second store is to remember a
        deletion.
    @raise CorruptRecord: one of the two cannot be read; both are left alone.
    @raise StoreUnavailable: one of the two did not answer.
    """
    # The second store first: a session that ends in between is then found in
    # it and not in the primary, which remembers why.
    copy = await _look(second, sessionID)
    original = await _look(primary, sessionID)
    if original is None:
        return Outcome.SAME if copy is None else await _restore(copy, primary, second, remember)
    if copy is not None:
        if _age(copy) > _age(original):
            return await _restore(copy, primary, second, remember)
        if _age(copy) == _age(original):
            return await _prolong(original, copy, second)
    return await _follow(original, primary, second, remember)


async def _look(store: ISessionStore, sessionID: str) -> SessionData | None:
    try:
        data = await store.get(sessionID)
    except SessionNotFound:
        return None
    # In its last moment it is as good as gone.
    return data if data.remaining > 0 else None


def _age(data: SessionData) -> tuple[int, int]:
    return data.epoch, data.version


async def _follow(
    original: SessionData, primary: ISessionStore, second: ISessionStore, remember: float
) -> Outcome:
    """
    The second store has an older record or none: give it the primary's.
    """
    key = original.sessionID
    try:
        await second.replicate(original, original.remaining)
    except SessionDeleted:
        # Either it was deleted in both since the primary was asked, or it was
        # created again after a deletion.  Only creation lifts that; it sets
        # version and epoch to 1, so the copy comes after it.
        if (again := await _look(primary, key)) is None:
            return Outcome.SAME
        await second.store(again, again.remaining)
        await second.replicate(again, again.remaining)
        if await _look(primary, key) is None:
            await second.delete(key, None, remember)
            return Outcome.BURIED
    return Outcome.FOLLOWED


async def _restore(
    copy: SessionData, primary: ISessionStore, second: ISessionStore, remember: float
) -> Outcome:
    """
    The primary has an older record or none: give it the copy.  (Ids are never
    used again, so a higher version is a later state of the same session.)
    """
    try:
        written = await primary.replicate(copy, copy.remaining)
    except SessionDeleted:
        await second.delete(copy.sessionID, None, remember)
        return Outcome.BURIED
    # If it was not written, the primary has moved on since it was asked, and
    # that change is on its way to the second store.
    return Outcome.RESTORED if written else Outcome.SAME


async def _prolong(original: SessionData, copy: SessionData, second: ISessionStore) -> Outcome:
    if original.remaining <= copy.remaining + _SLACK:
        return Outcome.SAME
    try:
        await second.extend(copy.sessionID, original.remaining, original.epoch)
    except (NotOwner, SessionNotFound):
        # It has changed since it was asked: another is telling it right now.
        return Outcome.SAME
    return Outcome.FOLLOWED
