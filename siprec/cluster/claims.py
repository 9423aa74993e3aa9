"""
Whose the recordings are that a process left unfinished: a node that comes back asks
before it makes recordings of its own of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from siprec.cluster.copies import Copies, Copy, NoCopy, keep, reopen
from siprec.cluster.errors import LinkError
from siprec.cluster.fetching import Fetching
from siprec.cluster.interfaces import IClusterLinks
from siprec.cluster.lacks import isFinal
from siprec.cluster.serving import BadQuestion, identityOf, rootOf
from siprec.cluster.turns import answering
from siprec.cluster.waiting import WaitingRecordings
from siprec.ids import NodeID, RecordingID
from siprec.session.interfaces import IWorkers
from siprec.session.manifest import BadManifest, readManifest
from siprec.session.running import Orphan
from siprec.store.interfaces import ISessionStore, SessionNotFound, StoreError

__all__ = ["KEPT", "WANTED", "Claims"]

log = Logger()

#: The kind of request: which of these recordings has the other node?
WANTED = "segment.wanted"

#: Seconds for which a copy that nobody fetches is kept.
KEPT = 7 * 86400.0

# Recordings that are asked for at once.
_BATCH = 500

# Seconds until a store that is away is asked again, and for an answer of a node.
_AGAIN, _PATIENCE = 2.0, 15.0


def _hasFinished(copies: Copies, recording: RecordingID) -> str | None:
    """
    @return: the folder of a recording that was finished here.  Blocks.
    """
    directory = copies.find(recording)
    if directory is None:
        return None
    try:
        return directory if isFinal(readManifest(directory)) else None
    except (OSError, BadManifest, KeyError):
        return None


@define(eq=False, repr=False)
class Claims:
    """
    Finds out which orphans are copies.

    @ivar counters: C{kept} copies, and C{expired} ones.
    """

    _links: IClusterLinks
    _fetching: Fetching
    _copies: Copies
    _marks: WaitingRecordings
    _workers: IWorkers
    _store: ISessionStore
    _clock: IReactorTime
    _now: Callable[[], float]
    _members: Callable[[], Iterable[NodeID]]
    # Gives the folder of a recording that has a call here, or is being finished.
    _liveHere: Callable[[RecordingID], str | None]
    # Told of a recording of this node of which another one has a copy.
    _onCopy: Callable[[RecordingID, str, NodeID], None]
    # Gives what fires when this node can answer.
    _ready: Callable[[], Deferred[None]]
    # Makes recordings of orphans.
    _recover: Callable[[list[Orphan]], Deferred[None]]
    counters: Counter[str] = field(factory=Counter)

    def start(self) -> None:
        """
        Answer from now on.
        """
        self._links.handle(WANTED, answering(self._ready, self._answer))

    async def hasIt(self, recording: RecordingID) -> str | None:
        """
        @return: the folder of a recording that this node has, rather than a copy
            of it.
        """
        live = self._liveHere(recording)
        if live is not None:
            return live
        return await self._workers.run(_hasFinished, self._copies, recording)

    async def _answer(self, peer: Any, body: Any) -> dict[str, Any]:
        shared = rootOf(body) == self._marks.name
        ids = body.get("ids")
        if not isinstance(ids, list) or len(ids) > _BATCH:
            raise BadQuestion(f"no list of at most {_BATCH} ids")
        found = []
        for identity in [identityOf({"id": each}) for each in ids]:
            if shared:
                # What is finished here may have been finished by who asks.
                directory = self._liveHere(identity)
            else:
                directory = await self.hasIt(identity)
            if directory is not None:
                found.append(identity)
                if not shared:
                    self._onCopy(identity, directory, peer.nodeID)
        return {"root": self._marks.name, "ids": found}

    async def wanted(self, orphans: Iterable[Orphan]) -> set[RecordingID]:
        """
        Keep those orphans that another node goes on with.  As long as the store
        does not answer, it is waited: to finish another node's recording would
        ruin it.

        @return: the ids of those that must not be recovered now.
        @raise Stopped: the node is stopping.
        """
        orphans = list(orphans)
        elsewhere = {each.id for each in orphans if await self._isElsewhere(each.id)}
        apart, shared = await self._asked([each.id for each in orphans])
        found = set()
        for orphan in orphans:
            if orphan.id in shared:
                # It is finished by the node that has it, in this very folder.
                await self._workers.run(self._copies.forget, orphan.id)
                self._copies.kept.pop(orphan.id, None)
                found.add(orphan.id)
            elif orphan.id in apart:
                if await self._keep(orphan):
                    found.add(orphan.id)
            elif orphan.id in elsewhere:
                self._copies.kept.setdefault(orphan.id, Copy(orphan, None))
                found.add(orphan.id)
        return found

    async def _isElsewhere(self, recording: RecordingID) -> bool:
        while True:
            try:
                record = await self._store.get(recording)
            except SessionNotFound:
                return False
            except StoreError as error:
                log.info("{recording}: left for now: {why}", recording=recording, why=str(error))
            else:
                return record.nodeID != self._copies.node
            await self._fetching.step(lambda: deferLater(self._clock, _AGAIN))

    async def _asked(self, ids: list[RecordingID]) -> tuple[set[RecordingID], set[RecordingID]]:
        """
        @return: those that nodes have with another recordings directory, and with
            the same one.
        """
        apart: set[RecordingID] = set()
        shared: set[RecordingID] = set()
        for node in list(self._members()):
            for begin in range(0, len(ids), _BATCH):
                body = {"ids": ids[begin : begin + _BATCH]}
                try:
                    answer = await self._fetching.ask(node, WANTED, body, _PATIENCE)
                    root, has = rootOf(answer), set(answer["ids"])
                except (LinkError, TimeoutError, KeyError, TypeError) as error:
                    log.warn("{node}: not asked: {why}", node=node, why=repr(error))
                    break
                (shared if root == self._marks.name else apart).update(has.intersection(ids))
        return apart, shared

    async def _keep(self, orphan: Orphan) -> bool:
        nodes = (self._copies.node, orphan.node)
        try:
            since = await self._workers.run(keep, orphan, nodes, self._now())
        except NoCopy:
            return False
        if self._now() - since > KEPT:
            await self._workers.run(reopen, orphan.directory)
            return False
        self._copies.kept[orphan.id] = Copy(orphan, since)
        self.counters["kept"] += 1
        log.info("{recording}: another node goes on with it", recording=orphan.id)
        return True

    async def look(self) -> None:
        """
        Let copies that nobody has fetched for too long become recordings, and ask
        again whose those are of which only the store knew.
        """
        copies = list(self._copies.kept.values())
        unmarked = [each.orphan for each in copies if each.since is None]
        still = await self.wanted(unmarked) if unmarked else set()
        for orphan in unmarked:
            if orphan.id not in still:
                await self._giveUp(orphan)
        now = self._now()
        for copy in copies:
            if copy.since is not None and now - copy.since > KEPT:
                await self._giveUp(copy.orphan)

    async def _giveUp(self, orphan: Orphan) -> None:
        if self._copies.kept.pop(orphan.id, None) is None:
            return
        if self._liveHere(orphan.id) is not None:
            return
        self.counters["expired"] += 1
        log.info("{recording}: nobody wants it, it is finished here", recording=orphan.id)
        await self._workers.run(reopen, orphan.directory)
        await self._recover([orphan])
