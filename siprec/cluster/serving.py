"""
Answers to other nodes that want the files of a recording.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from siprec.cluster.copies import Copies, NoCopy
from siprec.cluster.errors import Refusal
from siprec.cluster.interfaces import IClusterLinks
from siprec.cluster.segmentfiles import MAX_PIECE, NotHeld, NotThere, readPiece
from siprec.cluster.segmentnames import isOffered
from siprec.cluster.turns import answering
from siprec.cluster.waiting import Waiting, WaitingRecordings
from siprec.ids import RecordingID
from siprec.session.archive import NoSuchRecording, recordingID
from siprec.session.interfaces import IWorkers
from siprec.store.interfaces import ISessionStore, SessionNotFound, StoreError

__all__ = [
    "DONE",
    "LIST",
    "READ",
    "BadQuestion",
    "FileGone",
    "NotACopy",
    "NotNow",
    "Serving",
    "SharedDirectory",
    "identityOf",
    "rootOf",
]

log = Logger()

#: Kinds of requests: what there is of a recording; a piece of a file; all was fetched.
LIST, READ, DONE = "segment.list", "segment.read", "segment.done"

# Files of one recording, at most.
_MOST_FILES = 20_000


class BadQuestion(Refusal):
    """
    That is nothing that a node asks.
    """


class FileGone(Refusal):
    """
    There is no such file, or it is not for others.
    """


class NotACopy(Refusal):
    """
    What is here is not to be removed.
    """


class NotNow(Refusal):
    """
    Ask again later: the recording is being written, or nobody can say whose it is.
    """


class SharedDirectory(Refusal):
    """
    Both nodes have the same recordings directory.
    """


def identityOf(body: Any) -> RecordingID:
    """
    @raise BadQuestion: there is no recording's id in it.
    """
    try:
        return recordingID(body["id"])
    except (KeyError, TypeError, NoSuchRecording):
        raise BadQuestion("no recording's id") from None


def rootOf(body: Any) -> str:
    """
    @return: the name of the peer's recordings directory.
    @raise BadQuestion: it is not said.
    """
    if not isinstance(body, dict) or not isinstance(body.get("root"), str):
        raise BadQuestion("no recordings directory")
    return str(body["root"])


def _heldBy(body: Any) -> dict[str, str]:
    """
    @return: SHA-256 by name.
    @raise BadQuestion: it is not that.
    """
    files = body.get("files")
    if not isinstance(files, dict) or len(files) > _MOST_FILES:
        raise BadQuestion("no files")
    if not all(isOffered(name) and isinstance(files[name], str) for name in files):
        raise BadQuestion("no names of files")
    return files


@define(eq=False, repr=False)
class Serving:
    """
    Tells other nodes what is here of a recording, and gives it to them.

    @ivar counters: C{servedOctets}; C{removed} copies.
    """

    _links: IClusterLinks
    _copies: Copies
    _marks: WaitingRecordings
    _waiting: dict[RecordingID, Waiting]
    _workers: IWorkers
    _store: ISessionStore
    # Whether a recording has a call here, or is being finished.
    _isLive: Callable[[RecordingID], bool]
    # Gives what fires when this node can answer.
    _ready: Callable[[], Deferred[None]]
    counters: Counter[str] = field(factory=Counter)

    def start(self) -> None:
        """
        Answer from now on.
        """
        for kind, answer in ((LIST, self._list), (READ, self._read), (DONE, self._done)):
            self._links.handle(kind, answering(self._ready, answer))

    async def _list(self, peer: Any, body: Any) -> dict[str, Any]:
        identity = identityOf(body)
        directory = await self._find(identity, body)
        answer: dict[str, Any] = {"known": False, "live": False, "files": [], "told": {}}
        if directory is None:
            return answer
        if await self._isWritten(identity):
            return {**answer, "known": True, "live": True}
        await self._keep(identity, directory)
        found = await self._workers.run(self._copies.offers, directory)
        waiting = self._waiting.get(identity)
        return {
            **answer,
            "known": True,
            "files": [[each.name, each.size, each.digest] for each in found],
            "told": {} if waiting is None else dict(waiting.told),
        }

    async def _read(self, peer: Any, body: Any) -> bytes:
        identity = identityOf(body)
        name, offset, length = body.get("name"), body.get("offset"), body.get("length")
        if not isOffered(name):
            raise FileGone("no journal or document")
        if type(offset) is not int or not 0 <= offset < 2**62:
            raise BadQuestion("no offset")
        if type(length) is not int or not 0 < length <= MAX_PIECE:
            raise BadQuestion(f"no length of 1 to {MAX_PIECE}")
        directory = await self._find(identity, body)
        if directory is None:
            raise FileGone("no such recording")
        if await self._isWritten(identity):
            raise NotNow("it is being written")
        try:
            data = await self._workers.run(readPiece, directory, name, offset, length)
        except NotThere:
            raise FileGone(name) from None
        self.counters["servedOctets"] += len(data)
        return data

    async def _done(self, peer: Any, body: Any) -> None:
        identity = identityOf(body)
        if rootOf(body) == self._marks.name:
            self._copies.offered.pop(identity, None)
            return
        held = _heldBy(body)
        directory = await self._find(identity, body)
        if directory is None:
            self._copies.offered.pop(identity, None)
            return
        if await self._isOurs(identity):
            raise NotACopy("the recording is this node's")
        if await self._isWritten(identity):
            raise NotNow("it is being written")
        await self._keep(identity, directory)
        try:
            await self._workers.run(self._copies.remove, identity, directory, held)
        except NoCopy:
            raise NotACopy("a recording in its own right") from None
        except NotHeld as error:
            self._copies.offered.pop(identity, None)
            raise NotACopy(f"{error} is nowhere else") from None
        self._waiting.pop(identity, None)
        self._copies.kept.pop(identity, None)
        self._copies.offered.pop(identity, None)
        self.counters["removed"] += 1
        log.info("{recording}: {node} has all of it", recording=identity, node=peer.nodeID)

    async def _find(self, identity: RecordingID, body: Mapping[str, Any]) -> str | None:
        if rootOf(body) == self._marks.name:
            raise SharedDirectory(self._marks.name)
        # An empty place where a disk is to be mounted must not look as if there
        # had never been anything.
        if not await self._workers.run(self._copies.isThere):
            raise NotNow("the recordings directory is not there")
        return await self._workers.run(self._copies.find, identity)

    async def _keep(self, identity: RecordingID, directory: str) -> None:
        copy = await self._workers.run(self._copies.mark, identity, directory)
        if copy is not None:
            self._copies.kept[identity] = copy

    async def _isWritten(self, identity: RecordingID) -> bool:
        if self._isLive(identity):
            # It is back: what was kept is not a copy any more.
            self._copies.kept.pop(identity, None)
            return True
        return await self._workers.run(self._copies.isBeingWritten, identity)

    async def _isOurs(self, identity: RecordingID) -> bool:
        """
        @raise NotNow: nobody can say.
        """
        try:
            record = await self._store.get(identity)
        except SessionNotFound:
            return False
        except StoreError as error:
            raise NotNow(str(error)) from error
        return record.nodeID == self._copies.node
