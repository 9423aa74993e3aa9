"""
Which calls somebody means who names a recording or a communication session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import define
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from siprec.session.archive import NoSuchRecording, locate
from siprec.session.interfaces import IWorkers
from siprec.session.live import LiveRecording
from siprec.session.manifest import BadManifest, readManifest

__all__ = ["CallFinder", "UnknownCall"]


class UnknownCall(LookupError):
    """
    There is no such call here.
    """


@define(eq=False, repr=False)
class CallFinder:
    """
    @ivar _recordings: gives what is being recorded.
    @ivar _root: the recordings directory.
    @ivar _workers: where the disk is read.
    """

    _recordings: Callable[[], Iterable[LiveRecording]]
    _root: str
    _workers: IWorkers

    def find(self, session: str) -> Deferred[frozenset[str]]:
        """
        @param session: id of a recording, which may be over, or of a communication
            session that is being recorded.
        @return: fires with the Call-IDs; fails with L{UnknownCall}.
        """
        running = [each.recording for each in self._recordings()]
        found = frozenset(
            each.callID for each in running if session == each.id or session in each.sessions
        )
        if found:
            return succeed(found)
        reading: Deferred[frozenset[str]] = self._workers.run(_archived, self._root, session)
        return reading.addErrback(_unknown, session)


def _archived(root: str, recording: str) -> frozenset[str]:
    return frozenset((str(readManifest(locate(root, recording))["callID"]),))


def _unknown(reason: Failure, session: str) -> frozenset[str]:
    reason.trap(NoSuchRecording, BadManifest, OSError, KeyError)
    raise UnknownCall(
        f"{session}: neither a recording of this node nor a communication session that it"
        " records now"
    )
