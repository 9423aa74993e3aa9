"""
Fetching the files of a recording from another node, a piece at a time.
"""

from __future__ import annotations

import errno
import re
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from siprec.cluster.errors import LinkError, PeerFailed, UnknownKind
from siprec.cluster.interfaces import IClusterLinks
from siprec.cluster.segmentfiles import OfferedFile, append, complete, digests, received
from siprec.cluster.segmentnames import isOffered
from siprec.cluster.serving import DONE, LIST, READ, BadQuestion, NotACopy, SharedDirectory
from siprec.cluster.waiting import WaitingRecordings
from siprec.ids import NodeID, RecordingID, nodeID
from siprec.session.interfaces import IWorkers

__all__ = ["PIECE", "RATE", "BadAnswer", "Fetching", "Listing", "Stopped", "WrongDigest"]

log = Logger()

_T = TypeVar("_T")

#: Bytes that are asked for at once, and bytes a second that are fetched from one node
#: at most: live capture comes first, on the disk and on the network.
PIECE, RATE = 256 * 1024, 16 * 1024 * 1024

# Refusals that asking again does not change.
_FINAL = (NotACopy.__name__, BadQuestion.__name__, UnknownKind.__name__)

# How often a file is fetched of which the digest is wrong.
_TRIES = 3

# Seconds that an answer may take; the digests of a long call take a while.
_PATIENCE, _LIST_PATIENCE = 30.0, 120.0

_MOST_FILES, _LONGEST_FILE = 20_000, 2**42
_DIGEST = re.compile(r"[0-9a-f]{64}")


class BadAnswer(LinkError):
    """
    The other node's answer makes no sense.
    """


class WrongDigest(LinkError):
    """
    A file never came as it was offered.
    """


class Stopped(Exception):
    """
    The node is stopping; the next start goes on.
    """


@frozen
class Listing:
    """
    What another node has of a recording.

    @ivar known: whether it has anything of it, now.
    @ivar live: it is still writing; nothing else is said.
    @ivar told: which nodes it has fetched all from; see L{Waiting}.
    """

    known: bool
    live: bool
    files: tuple[OfferedFile, ...]
    told: dict[NodeID, int]


def _listing(answer: Any) -> Listing:
    """
    @raise BadAnswer: it is none.
    """
    try:
        known, live, files, told = (answer[key] for key in ("known", "live", "files", "told"))
        offered = tuple(OfferedFile(*each) for each in files)
        nodes = {nodeID(each): told[each] for each in told}
    except (KeyError, TypeError, ValueError) as error:
        raise BadAnswer(f"no list of files: {error!r}") from error
    good = (
        type(known) is type(live) is bool
        and len(offered) <= _MOST_FILES
        and all(map(_isGood, offered))
        and all(type(count) is int for count in nodes.values())
    )
    if not good:
        raise BadAnswer("no list of files")
    return Listing(known, live, offered, nodes)


def _isGood(offered: OfferedFile) -> bool:
    return (
        isOffered(offered.name)
        and type(offered.size) is int
        and 0 <= offered.size <= _LONGEST_FILE
        and isinstance(offered.digest, str)
        and bool(_DIGEST.fullmatch(offered.digest))
    )


@define(eq=False, repr=False)
class Fetching:
    """
    Asks other nodes.

    @ivar counters: C{fetchedFiles}, C{fetchedOctets} and C{wrongDigests}.
    """

    _links: IClusterLinks
    _marks: WaitingRecordings
    _workers: IWorkers
    _clock: IReactorTime
    # Bytes of disk that may be filled; C{None}: nobody knows.
    _room: Callable[[], int | None]
    counters: Counter[str] = field(factory=Counter)
    _stopped: bool = field(default=False, init=False)
    _waits: set[Deferred[Any]] = field(factory=set, init=False)

    def start(self) -> None:
        """
        Ask from now on.
        """
        self._stopped = False

    def stop(self) -> None:
        """
        Ask nothing more, and wait for no answer any more: who does fails with
        L{Stopped}.
        """
        self._stopped = True
        for each in list(self._waits):
            each.cancel()

    async def ask(self, node: NodeID, kind: str, body: dict[str, Any], patience: float) -> Any:
        """
        Ask another node, and say which recordings directory this one has.

        @raise Stopped: the node is stopping.
        @raise LinkError: as of L{IClusterLinks.request}.
        @raise TimeoutError: no answer came.
        """
        question = {**body, "root": self._marks.name}
        return await self.step(lambda: self._links.request(node, kind, question, patience))

    async def step(self, begin: Callable[[], Deferred[_T]]) -> _T:
        """
        Wait for something that a stop may cut short.

        @raise Stopped: the node is stopping.
        """
        if self._stopped:
            raise Stopped
        waiting = begin()
        self._waits.add(waiting)
        try:
            return await waiting
        except CancelledError:
            if self._stopped:
                raise Stopped from None
            raise
        finally:
            self._waits.discard(waiting)

    async def listing(self, node: NodeID, recording: RecordingID) -> Listing | None:
        """
        @return: what a node has of a recording; C{None}: it has the same recordings
            directory.
        @raise BadAnswer: it says nonsense.  See L{ask} for the rest.
        """
        try:
            return _listing(await self.ask(node, LIST, {"id": recording}, _LIST_PATIENCE))
        except PeerFailed as error:
            if error.name == SharedDirectory.__name__:
                return None
            raise

    async def fetch(
        self, node: NodeID, recording: RecordingID, directory: str, offered: OfferedFile
    ) -> None:
        """
        Fetch a file; what came of it earlier is not fetched again.

        @raise WrongDigest: it never comes as it was offered.
        @raise OSError: it cannot be written.  See L{listing} for the rest.
        """
        for _ in range(_TRIES):
            await self._receive(node, recording, directory, offered)
            if await self._workers.run(complete, directory, offered):
                self.counters["fetchedFiles"] += 1
                return
            self.counters["wrongDigests"] += 1
            log.warn(
                "{recording}: {file} of {node} came damaged",
                recording=recording,
                file=offered.name,
                node=node,
            )
        raise WrongDigest(offered.name)

    async def _receive(
        self, node: NodeID, recording: RecordingID, directory: str, offered: OfferedFile
    ) -> None:
        at = await self._workers.run(received, directory, offered)
        while at < offered.size:
            length = min(PIECE, offered.size - at)
            self._checkRoom(offered.size - at)
            body = {"id": recording, "name": offered.name, "offset": at, "length": length}
            data = await self.ask(node, READ, body, _PATIENCE)
            if not isinstance(data, bytes) or not 0 < len(data) <= length:
                raise BadAnswer(f"no piece of {offered.name}")
            at = await self._workers.run(append, directory, offered.name, at, data)
            self.counters["fetchedOctets"] += len(data)
            await self._pause(length / RATE)

    async def _pause(self, seconds: float) -> None:
        await self.step(lambda: deferLater(self._clock, seconds))

    def _checkRoom(self, size: int) -> None:
        room = self._room()
        if room is not None and size > room:
            raise OSError(errno.ENOSPC, f"the room on the disk is kept for calls: {size} octets")

    async def done(
        self, node: NodeID, recording: RecordingID, directory: str, names: list[str]
    ) -> bool:
        """
        Tell a node that what it has of a recording is here.

        @param names: what it has.
        @return: whether it has understood; else it has to be told again.
        @raise OSError: what is here cannot be read.  See L{ask} for the rest.
        """
        held = await self._workers.run(digests, directory, names)
        try:
            await self.ask(node, DONE, {"id": recording, "files": held}, _LIST_PATIENCE)
        except PeerFailed as error:
            if error.name not in _FINAL:
                return False
            log.info(
                "{recording}: {node} keeps what it has: {why}",
                recording=recording,
                node=node,
                why=error.text,
            )
        return True
