"""
What a node does with a call that turns out to be another's.
"""

from __future__ import annotations

from collections import Counter

from attrs import define
from twisted.logger import Logger

from siprec.cluster.handover import Giver
from siprec.recorder import Recorder
from siprec.session.recordings import Recordings
from siprec.store.adapter import SnapshotAdapter

__all__ = ["Fencing"]

log = Logger()


@define(eq=False, repr=False)
class Fencing:
    """
    Lets go of it.
    """

    _counters: Counter[str]
    _giver: Giver
    _recordings: Recordings
    _recorder: Recorder
    _adapter: SnapshotAdapter

    def fenced(self, key: str) -> None:
        """
        Another node owns a call: let go of it without a word, unless it was to
        take it and turns out not to have it.
        """
        asking = self._giver.isAnothers(key).addCallback(self._isAnothers, key)
        asking.addErrback(lambda failure: log.failure("{key}: not let go", failure, key=key))

    def _isAnothers(self, really: bool, key: str) -> None:
        if really:
            if key in self._recordings.recordings:
                # Each write that is under way finds it out again.
                self._counters["fenced"] += 1
            self._adapter.forget(key)
            self._recorder.letGo(key)
