"""
Tests of L{siprec.cluster.fetching}.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.errors import PeerFailed, Refusal, Unreachable
from siprec.cluster.fetching import PIECE, RATE, BadAnswer, Fetching, Stopped, WrongDigest
from siprec.cluster.segmentfiles import OfferedFile
from siprec.cluster.serving import DONE, LIST, READ, FileGone, NotACopy, NotNow, SharedDirectory
from siprec.cluster.waiting import WaitingRecordings
from siprec.ids import NodeID
from siprec.testing.control import ImmediateWorkers
from tests.cluster.memorylinks import MemoryLinks
from tests.session.recordings import identity

A, B = NodeID("a"), NodeID("b")
JOURNAL = "1-0.rtpdump"
DATA = os.urandom(2 * PIECE + 10)
OFFERED = OfferedFile(JOURNAL, len(DATA), hashlib.sha256(DATA).hexdigest())


class FetchingCase(SynchronousTestCase):
    """
    C{a} asks C{b}, of which a test says what it answers.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        network: dict[NodeID, MemoryLinks] = {}
        self.links, self.b = (MemoryLinks(each, self.clock, network) for each in (A, B))
        self.directory = os.path.abspath(self.mktemp())
        os.makedirs(self.directory)
        marks = WaitingRecordings(self.directory)
        marks.open()
        self.root = marks.name
        self.room: int | None = None
        self.fetching = Fetching(
            self.links, marks, ImmediateWorkers(), self.clock, lambda: self.room
        )
        self.b.handle(READ, self.read)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def read(self, peer: Any, body: Any) -> bytes:
        """
        Answer as a node does.
        """
        return DATA[body["offset"] : body["offset"] + body["length"]]

    def answering(self, kind: str, answer: Callable[[], Any]) -> None:
        """
        Have C{b} answer something.
        """
        self.b.handle(kind, lambda peer, body: answer())

    def fetch(self) -> Deferred[None]:
        """
        Fetch the journal.
        """
        return self.begin(self.fetching.fetch(B, identity(), self.directory, OFFERED))

    def begin(self, work: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        """
        Begin something.
        """
        return Deferred.fromCoroutine(work)

    def listing(self) -> Deferred[Any]:
        """
        Ask what there is.
        """
        return self.begin(self.fetching.listing(B, identity()))

    def pieces(self, count: int = 20) -> None:
        """
        Let so many pieces come.
        """
        self.clock.pump([PIECE / RATE] * count)

    def file(self, name: str = JOURNAL) -> bytes | None:
        """
        @return: what is in a file, if it is there.
        """
        path = os.path.join(self.directory, name)
        if not os.path.exists(path):
            return None
        with open(path, "rb") as file:
            return file.read()


class FileTests(FetchingCase):
    """
    A file.
    """

    def test_pieces(self) -> None:
        """
        It comes in pieces, one after the other and not faster than the rate; each
        question says which recordings directory it is for.
        """
        done = self.fetch()
        self.assertEqual(len(self.b.asked), 1)
        self.assertEqual(self.b.asked[0][1]["root"], self.root)
        self.clock.advance(PIECE / RATE - 0.001)
        self.assertEqual(len(self.b.asked), 1)
        self.clock.advance(0.001)
        self.assertEqual(len(self.b.asked), 2)
        self.assertEqual(self.file(f"{JOURNAL}.part"), DATA[: 2 * PIECE])
        self.pieces()
        self.successResultOf(done)
        self.assertEqual(self.file(), DATA)
        asked = [(body["offset"], body["length"]) for _, body in self.b.asked]
        self.assertEqual(asked, [(0, PIECE), (PIECE, PIECE), (2 * PIECE, 10)])
        self.assertEqual(
            dict(self.fetching.counters), {"fetchedFiles": 1, "fetchedOctets": len(DATA)}
        )

    def test_goesOn(self) -> None:
        """
        What came is not fetched again.
        """
        with open(os.path.join(self.directory, f"{JOURNAL}.part"), "wb") as file:
            file.write(DATA[:1000])
        done = self.fetch()
        self.pieces()
        self.successResultOf(done)
        self.assertEqual(self.b.asked[0][1]["offset"], 1000)
        self.assertEqual(self.file(), DATA)

    def test_wrongDigest(self) -> None:
        """
        What came damaged is fetched again from the start; not for ever.
        """
        with open(os.path.join(self.directory, f"{JOURNAL}.part"), "wb") as file:
            file.write(b"x" * 1000)
        done = self.fetch()
        self.pieces()
        self.successResultOf(done)
        self.assertEqual(self.file(), DATA)
        self.assertEqual(self.fetching.counters["wrongDigests"], 1)
        os.unlink(os.path.join(self.directory, JOURNAL))
        self.b.handle(READ, lambda peer, body: b"x" * body["length"])
        done = self.fetch()
        self.pieces()
        self.failureResultOf(done, WrongDigest)
        self.assertEqual(self.fetching.counters["wrongDigests"], 4)
        self.assertEqual((self.file(), self.file(f"{JOURNAL}.part")), (None, None))

    def test_garbage(self) -> None:
        """
        An answer that is no piece is not written: it is of another kind, empty since the
        file has shrunk, or longer than was asked for.
        """
        for garbage in (None, "text", b"", b"x" * (PIECE + 1), {"data": b"x"}):
            self.answering(READ, lambda found=garbage: found)  # type: ignore[misc]
            self.failureResultOf(self.fetch(), BadAnswer)
        self.assertIsNone(self.file(f"{JOURNAL}.part"))

    def test_vanished(self) -> None:
        """
        A file that vanishes fails; what came of it stays.
        """

        def gone(peer: Any, body: Any) -> bytes:
            if body["offset"]:
                raise FileGone(JOURNAL)
            return self.read(peer, body)

        self.b.handle(READ, gone)
        done = self.fetch()
        self.pieces()
        self.failureResultOf(done, PeerFailed)
        self.assertEqual(self.file(f"{JOURNAL}.part"), DATA[:PIECE])

    def test_away(self) -> None:
        """
        So does a node that goes away, and one that gives no answer.
        """
        done = self.fetch()
        self.b.away = True
        self.pieces()
        self.failureResultOf(done, Unreachable)
        self.b.away, self.b.held = False, []
        done = self.fetch()
        self.clock.advance(30)
        self.failureResultOf(done, TimeoutError)
        self.assertEqual(self.file(f"{JOURNAL}.part"), DATA[:PIECE])

    def test_diskFull(self) -> None:
        """
        Room that is kept for calls is not used.
        """
        self.room = len(DATA) - 1
        self.failureResultOf(self.fetch(), OSError)
        self.assertEqual(self.b.asked, [])
        self.room += 1
        done = self.fetch()
        self.pieces()
        self.successResultOf(done)

    def test_stop(self) -> None:
        """
        A stop ends the waiting for an answer, and the pause; after that nothing begins
        until the next start.
        """
        self.b.held = []
        waiting = self.fetch()
        self.b.held = None
        pausing = self.begin(self.fetching.fetch(B, identity(1), self.directory, OFFERED))
        self.fetching.stop()
        for each in (waiting, pausing, self.fetch()):
            self.failureResultOf(each, Stopped)
        self.fetching.start()
        done = self.fetch()
        self.pieces()
        self.successResultOf(done)

    def test_cancelled(self) -> None:
        """
        What somebody else cancels is no stop.
        """
        waiting: Deferred[None] = Deferred()
        done = self.begin(self.fetching.step(lambda: waiting))
        waiting.cancel()
        self.failureResultOf(done, CancelledError)


class ListingTests(FetchingCase):
    """
    What there is.
    """

    good = {"known": True, "live": False, "files": [[JOURNAL, 5, "0" * 64]], "told": {"c": 2}}

    def test_listing(self) -> None:
        """
        It is read.
        """
        self.answering(LIST, lambda: self.good)
        found = self.successResultOf(self.listing())
        self.assertEqual(found.files, (OfferedFile(JOURNAL, 5, "0" * 64),))
        self.assertEqual((found.known, found.live, found.told), (True, False, {"c": 2}))

    def test_garbage(self) -> None:
        """
        What makes no sense, or leads out of the folder, is refused as a whole.
        """
        wrong: list[Any] = [
            None,
            7,
            [],
            {},
            *(
                {**self.good, **each}
                for each in (
                    {"known": 1},
                    {"live": None},
                    {"files": 7},
                    {"files": [7]},
                    {"files": [[JOURNAL, 5]]},
                    {"files": [["../1-0.rtpdump", 5, "0" * 64]]},
                    {"files": [["recording.json", 5, "0" * 64]]},
                    {"files": [[JOURNAL, -1, "0" * 64]]},
                    {"files": [[JOURNAL, True, "0" * 64]]},
                    {"files": [[JOURNAL, 2**60, "0" * 64]]},
                    {"files": [[JOURNAL, 5, "0"]]},
                    {"files": [[JOURNAL, 5, None]]},
                    {"files": [[JOURNAL, 5, "0" * 64]] * 20_001},
                    {"told": 7},
                    {"told": {"/": 1}},
                    {"told": {7: 1}},
                    {"told": {"c": "x"}},
                )
            ),
        ]
        for answer in wrong:
            self.answering(LIST, lambda found=answer: found)  # type: ignore[misc]
            self.failureResultOf(self.listing(), BadAnswer)

    def test_shared(self) -> None:
        """
        A node with the same directory has nothing to give.
        """
        self.answering(LIST, lambda: _raise(SharedDirectory("x")))
        self.assertIsNone(self.successResultOf(self.listing()))

    def test_refused(self) -> None:
        """
        Other refusals are failures.
        """
        self.answering(LIST, lambda: _raise(NotNow("x")))
        self.failureResultOf(self.listing(), PeerFailed)


class DoneTests(FetchingCase):
    """
    Telling that all is here.
    """

    def done(self) -> Deferred[bool]:
        """
        Tell it.
        """
        names = [JOURNAL, "2-0.rtpdump"]
        return self.begin(self.fetching.done(B, identity(), self.directory, names))

    def test_told(self) -> None:
        """
        It is told by SHA-256 what is here.
        """
        with open(os.path.join(self.directory, JOURNAL), "wb") as file:
            file.write(DATA)
        self.answering(DONE, lambda: None)
        self.assertTrue(self.successResultOf(self.done()))
        self.assertEqual(self.b.asked[0][1]["files"], {JOURNAL: OFFERED.digest})

    def test_refused(self) -> None:
        """
        A node that keeps what it has need not be told again, but one that cannot decide.
        """
        for error, final in ((NotACopy("x"), True), (NotNow("x"), False), (OSError("x"), False)):
            self.answering(DONE, lambda found=error: _raise(found))  # type: ignore[misc]
            self.assertEqual(self.successResultOf(self.done()), final)

    def test_unreachable(self) -> None:
        """
        Neither does one that is not reached.
        """
        self.b.away = True
        self.failureResultOf(self.done(), Unreachable)


def _raise(error: Exception) -> Any:
    assert isinstance(error, Refusal | OSError)
    return Failure(error)
