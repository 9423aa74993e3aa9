"""
The recordings of this node that have other nodes to ask, in memory and on the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field

from siprec.cluster.completing import namesIn
from siprec.cluster.lacks import lackOf
from siprec.cluster.segmentfiles import discardParts
from siprec.cluster.turns import Turns
from siprec.cluster.waiting import Waiting, WaitingRecordings
from siprec.ids import NodeID, RecordingID
from siprec.session.archive import recordingID
from siprec.session.interfaces import IWorkers
from siprec.session.manifest import Manifest

__all__ = ["Marking"]


@define(eq=False, repr=False)
class Marking:
    """
    Keeps both the same.

    @ivar waiting: the recordings, by id.
    """

    _marks: WaitingRecordings
    _workers: IWorkers
    _node: NodeID
    # Whether the call of a recording goes on here.
    _isLive: Callable[[RecordingID], bool]
    waiting: dict[RecordingID, Waiting] = field(factory=dict, init=False)
    # Never held for longer than it takes to write a mark.
    _turns: Turns = field(factory=Turns, init=False)

    async def open(self) -> None:
        """
        Read what is on the disk.

        @raise OSError: it cannot be read, or made.
        """
        await self._workers.run(self._marks.open)
        for each in await self._workers.run(self._marks.load):
            self.waiting.setdefault(each.id, each)

    @property
    def pending(self) -> list[dict[str, Any]]:
        """
        See L{siprec.cluster.segments.Segments.pending}.
        """
        return [
            {"id": each.id, "nodes": sorted(each.ask)}
            for each in sorted(self.waiting.values(), key=lambda one: one.id)
            if each.ask
        ]

    def of(self, node: NodeID) -> list[Waiting]:
        """
        @return: those for which a node is to be asked.
        """
        return [each for each in self.waiting.values() if node in each.ask]

    async def note(self, identity: RecordingID, directory: str, node: NodeID) -> None:
        """
        A node has something of a recording.

        @raise OSError: that cannot be written down.
        """
        async with self._turns.of(identity):
            waiting = self.waiting.get(identity) or Waiting(identity, directory)
            waiting.ask.add(node)
            await self._save(waiting)

    async def see(self, directory: str, manifest: Manifest) -> Waiting | None:
        """
        A recording was finished: remember whom to ask for what is not here.

        @return: the recording, unless there was never anybody to ask.
        @raise OSError: that cannot be seen or written down.
        """
        identity = recordingID(manifest["id"])
        async with self._turns.of(identity):
            there = await self._workers.run(namesIn, directory)
            lack = lackOf(manifest, there, self._node)
            waiting = self.waiting.get(identity)
            if waiting is None:
                if not lack.asks({}):
                    return None
                waiting = Waiting(identity, directory)
            waiting.ask |= lack.asks(waiting.told)
            await self._save(waiting)
            return waiting

    async def settle(self, waiting: Waiting) -> None:
        """
        Forget a recording that has nobody to ask, unless its call goes on: then it is
        of use who was told what.

        @raise OSError: that cannot be written down.
        """
        async with self._turns.of(waiting.id):
            if waiting.ask or self._isLive(waiting.id):
                await self._save(waiting)
                return
            await self._workers.run(discardParts, waiting.directory)
            await self._workers.run(self._marks.remove, waiting.id)
            self.waiting.pop(waiting.id, None)

    async def _save(self, waiting: Waiting) -> None:
        self.waiting[waiting.id] = waiting
        await self._workers.run(self._marks.save, waiting)
