"""
Tests of L{siprec.cluster.serving}.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import fail

from siprec.cluster.errors import PeerFailed
from siprec.cluster.segmentfiles import MAX_PIECE, digests
from siprec.cluster.serving import DONE, LIST, READ
from siprec.session.manifest import writeManifest
from siprec.store.interfaces import StoreUnavailable
from tests.cluster.memorylinks import MemoryLinks
from tests.cluster.segmentscase import B, C, SegmentsCase, fileIn
from tests.session.recordings import identity

JOURNAL = "1-0.rtpdump"


class ServingCase(SegmentsCase):
    """
    C{c} asks C{b}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.c = MemoryLinks(C, self.clock, self.network)
        self.recording = self.copy()
        self.start(self.b)

    def ask(self, kind: str, **body: Any) -> Any:
        """
        @return: the answer.
        """
        question = {"id": identity(), "root": "elsewhere", **body}
        return self.successResultOf(self.c.request(B, kind, question))

    def refused(self, kind: str, **body: Any) -> str:
        """
        @return: the name of the refusal.
        """
        question = {"id": identity(), "root": "elsewhere", **body}
        failure = self.failureResultOf(self.c.request(B, kind, question), PeerFailed)
        return str(failure.value.name)

    def read(self, **body: Any) -> Any:
        """
        @return: a piece of the journal.
        """
        return self.ask(READ, **{"name": JOURNAL, "offset": 0, "length": 100, **body})

    def held(self) -> dict[str, str]:
        """
        @return: what is there.
        """
        return digests(self.b.directory(), [JOURNAL, "metadata-1.xml"])


class ListTests(ServingCase):
    """
    What there is.
    """

    def test_list(self) -> None:
        """
        All journals and documents are told; the copy is one from then on.
        """
        answer = self.ask(LIST)
        size = os.path.getsize(os.path.join(self.b.directory(), JOURNAL))
        self.assertEqual([each[0] for each in answer["files"]], [JOURNAL, "metadata-1.xml"])
        self.assertEqual(answer["files"][0], [JOURNAL, size, self.held()[JOURNAL]])
        self.assertEqual((answer["known"], answer["live"], answer["told"]), (True, False, {}))
        self.assertEqual(self.b.manifest()["endReason"], "takenOver")
        self.assertEqual(self.b.markers(), [identity()])

    def test_unknown(self) -> None:
        """
        So is that there is nothing.
        """
        answer = self.ask(LIST, id=identity(7))
        self.assertEqual(answer, {"known": False, "live": False, "files": [], "told": {}})

    def test_live(self) -> None:
        """
        Of a call that goes on nothing is told, nor while its capture is being closed.
        """
        self.b.live(self.recording)
        self.assertEqual((self.ask(LIST)["live"], self.ask(LIST)["files"]), (True, []))
        self.b.recordings.recordings.clear()
        self.b.running.add(identity(), self.b.directory())
        self.assertTrue(self.ask(LIST)["live"])
        self.assertEqual(self.b.manifest()["state"], "recording")
        self.b.running.remove(identity())
        self.assertFalse(self.ask(LIST)["live"])

    def test_back(self) -> None:
        """
        A call that has come back is no copy any more.
        """
        self.ask(LIST)
        self.b.live(self.recording)
        self.assertTrue(self.ask(LIST)["live"])
        self.b.recordings.recordings.clear()
        self.assertTrue(self.ask(LIST)["live"])

    def test_shared(self) -> None:
        """
        A node with the same directory is told so.
        """
        root = fileIn(os.path.join(self.b.root, ".missing"), "root").decode()
        self.assertEqual(self.refused(LIST, root=root), "SharedDirectory")

    def test_notMounted(self) -> None:
        """
        A directory that is not there does not look like one without recordings.
        """
        os.rename(self.b.root, f"{self.b.root}.away")
        self.addCleanup(os.rename, f"{self.b.root}.away", self.b.root)
        self.assertEqual(self.refused(LIST), "NotNow")

    def test_nonsense(self) -> None:
        """
        What is no question is refused.
        """
        for kind in (LIST, READ, DONE):
            bodies: list[Any] = [
                None,
                7,
                [],
                "id",
                {},
                {"id": identity(), "name": JOURNAL, "offset": 0, "length": 1},
                {"id": 7, "root": "x"},
                {"id": f"../{identity()}", "root": "x", "name": JOURNAL},
                {"id": identity(), "root": 7, "name": JOURNAL, "offset": 0, "length": 1},
            ]
            for body in bodies:
                failure = self.failureResultOf(self.c.request(B, kind, body), PeerFailed)
                self.assertEqual(failure.value.name, "BadQuestion", (kind, body))


class ReadTests(ServingCase):
    """
    A piece of a file.
    """

    def test_read(self) -> None:
        """
        It is what is there.
        """
        whole = fileIn(self.b.directory(), JOURNAL)
        self.assertEqual(self.read(), whole[:100])
        self.assertEqual(self.read(offset=len(whole) - 10, length=MAX_PIECE), whole[-10:])
        self.assertEqual(self.read(offset=len(whole)), b"")
        self.assertEqual(self.b.segments.counters["servedOctets"], 110)

    def test_outside(self) -> None:
        """
        Nothing but journals and documents of that recording can be read.
        """
        secret = os.path.join(self.b.root, "secret")
        with open(secret, "w") as file:
            file.write("secret")
        os.symlink(secret, os.path.join(self.b.directory(), "9-0.rtpdump"))
        names: list[Any] = [
            "recording.json",
            "../../../../secret",
            secret,
            "9-0.rtpdump",
            "2-0.rtpdump",
            "",
            None,
            b"1-0.rtpdump",
            f"{JOURNAL}\0",
        ]
        for name in names:
            refusal = self.refused(READ, name=name, offset=0, length=10)
            self.assertEqual(refusal, "FileGone", name)

    def test_wrongNumbers(self) -> None:
        """
        Neither can more than a piece, nor what makes no sense.
        """
        for wrong in (
            {"offset": -1},
            {"offset": 2**62},
            {"offset": True},
            {"offset": "0"},
            {"length": 0},
            {"length": MAX_PIECE + 1},
            {"length": 1.5},
            {"length": None},
        ):
            body: dict[str, Any] = {"name": JOURNAL, "offset": 0, "length": 10, **wrong}
            self.assertEqual(self.refused(READ, **body), "BadQuestion", wrong)

    def test_gone(self) -> None:
        """
        A recording that was deleted has no files.
        """
        body: dict[str, Any] = {"name": JOURNAL, "offset": 0, "length": 10}
        self.assertEqual(self.refused(READ, id=identity(7), **body), "FileGone")

    def test_live(self) -> None:
        """
        What is being written is not read.
        """
        self.b.live(self.recording)
        body: dict[str, Any] = {"name": JOURNAL, "offset": 0, "length": 10}
        self.assertEqual(self.refused(READ, **body), "NotNow")


class DoneTests(ServingCase):
    """
    All was fetched.
    """

    def test_removed(self) -> None:
        """
        The copy is removed.
        """
        self.owns(self.a)
        self.assertIsNone(self.ask(DONE, files=self.held()))
        self.assertEqual((self.b.files(), self.b.markers()), ([], []))
        self.assertEqual(self.b.segments.counters["removed"], 1)
        self.assertIsNone(self.ask(DONE, files={}))

    def test_notYetHeld(self) -> None:
        """
        Not if something is nowhere else.
        """
        held = {**self.held(), JOURNAL: "0" * 64}
        self.assertEqual(self.refused(DONE, files=held), "NotACopy")
        self.assertIn(JOURNAL, self.b.files())

    def test_ours(self) -> None:
        """
        Not if the recording is this node's, by the store or by its manifest.
        """
        self.owns(self.b)
        self.assertEqual(self.refused(DONE, files=self.held()), "NotACopy")
        self.successResultOf(self.b.store.delete(identity()))
        writeManifest(self.b.directory(), {**self.b.manifest(), "state": "complete"})
        self.assertEqual(self.refused(DONE, files=self.held()), "NotACopy")
        self.assertIn(JOURNAL, self.b.files())

    def test_live(self) -> None:
        """
        Not while it is being written.
        """
        self.b.live(self.recording)
        self.assertEqual(self.refused(DONE, files=self.held()), "NotNow")

    def test_storeAway(self) -> None:
        """
        Not as long as nobody can say whose it is.
        """
        self.patch(self.b.store, "get", lambda key: fail(StoreUnavailable("away")))
        self.assertEqual(self.refused(DONE, files=self.held()), "NotNow")
        self.assertIn(JOURNAL, self.b.files())

    def test_shared(self) -> None:
        """
        A node with the same directory has it all; nothing is removed.
        """
        root = fileIn(os.path.join(self.b.root, ".missing"), "root").decode()
        self.assertIsNone(self.ask(DONE, root=root, files=self.held()))
        self.assertIn(JOURNAL, self.b.files())

    def test_nonsense(self) -> None:
        """
        A list of files has to be one.
        """
        files: list[Any] = [
            None,
            [JOURNAL],
            {JOURNAL: 7},
            {"recording.json": "x"},
            {7: "x"},
            {f"{number}-0.rtpdump": "x" for number in range(1, 9000)}
            | {f"{number}-1.rtpdump": "x" for number in range(1, 9000)}
            | {f"{number}-2.rtpdump": "x" for number in range(1, 9000)},
        ]
        for each in files:
            self.assertEqual(self.refused(DONE, files=each), "BadQuestion")
