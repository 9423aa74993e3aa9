"""
Tests of L{siprec.cluster.segmentfiles}.
"""

from __future__ import annotations

import hashlib
import os

from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.segmentfiles import (
    NotHeld,
    NotThere,
    OfferedFile,
    append,
    complete,
    digests,
    discardParts,
    offers,
    readPiece,
    received,
    removeCopy,
)

NAME, DATA = "1-0.rtpdump", b"0123456789"
DIGEST = hashlib.sha256(DATA).hexdigest()
OFFERED = OfferedFile(NAME, len(DATA), DIGEST)


class FilesCase(SynchronousTestCase):
    """
    A recording's folder.
    """

    def setUp(self) -> None:
        self.directory = self.mktemp()
        os.makedirs(self.directory)

    def path(self, name: str) -> str:
        """
        @return: of a file in the folder.
        """
        return os.path.join(self.directory, name)

    def write(self, name: str = NAME, data: bytes = DATA) -> None:
        """
        Make a file.
        """
        with open(self.path(name), "wb") as file:
            file.write(data)

    def names(self) -> list[str]:
        """
        @return: what is there.
        """
        return sorted(os.listdir(self.directory))


class ServingTests(FilesCase):
    """
    For who has the files.
    """

    def test_offers(self) -> None:
        """
        Journals and documents are offered, with size and SHA-256, and nothing else.
        """
        self.write()
        self.write("metadata-1.xml", b"")
        for name in ("recording.json", "audio.wav", "2-0.rtpdump.part"):
            self.write(name)
        empty = hashlib.sha256(b"").hexdigest()
        self.assertEqual(offers(self.directory), [OFFERED, OfferedFile("metadata-1.xml", 0, empty)])

    def test_noFiles(self) -> None:
        """
        What is no plain file is not offered and not read: a link may lead anywhere, and
        a pipe nowhere.
        """
        os.symlink("/etc/passwd", self.path(NAME))
        os.mkdir(self.path("2-0.rtpdump"))
        os.mkfifo(self.path("3-0.rtpdump"))
        self.assertEqual(offers(self.directory), [])
        for name in (NAME, "2-0.rtpdump", "3-0.rtpdump", "4-0.rtpdump"):
            self.assertRaises(NotThere, readPiece, self.directory, name, 0, 10)

    def test_read(self) -> None:
        """
        A piece is what is there of it.
        """
        self.write()
        self.assertEqual(readPiece(self.directory, NAME, 0, 4), b"0123")
        self.assertEqual(readPiece(self.directory, NAME, 8, 4), b"89")
        self.assertEqual(readPiece(self.directory, NAME, 10, 4), b"")

    def test_readNames(self) -> None:
        """
        Nothing can be read but journals and documents of that very folder.
        """
        self.write("recording.json")
        for name in ("recording.json", "../x", "/etc/passwd", ""):
            self.assertRaises(NotThere, readPiece, self.directory, name, 0, 10)

    def test_remove(self) -> None:
        """
        All that the recorder has written is removed, and the folder, if another node
        has the same.
        """
        self.write()
        for name in ("recording.json", "recording.json.new", "audio.wav", "2-0.rtpdump.part"):
            self.write(name)
        removeCopy(self.directory, {NAME: DIGEST, "2-0.rtpdump": "x"})
        self.assertFalse(os.path.exists(self.directory))

    def test_notHeld(self) -> None:
        """
        Nothing is removed if the other node lacks one, or has another one.
        """
        self.write()
        self.write("recording.json")
        for held in ({}, {NAME: "0" * 64}):
            self.assertRaises(NotHeld, removeCopy, self.directory, held)
        self.assertEqual(self.names(), [NAME, "recording.json"])

    def test_somethingElse(self) -> None:
        """
        What somebody has put there stays.
        """
        self.write()
        self.write("notes.txt")
        removeCopy(self.directory, {NAME: DIGEST})
        self.assertEqual(self.names(), ["notes.txt"])


class FetchingTests(FilesCase):
    """
    For who fetches them.
    """

    def test_pieces(self) -> None:
        """
        Pieces make a file that has its name when it is whole; until then it goes on
        where it ends.
        """
        self.assertEqual(received(self.directory, OFFERED), 0)
        self.assertEqual(append(self.directory, NAME, 0, DATA[:4]), 4)
        self.assertEqual(received(self.directory, OFFERED), 4)
        self.assertEqual(self.names(), [f"{NAME}.part"])
        self.assertEqual(append(self.directory, NAME, 4, DATA[4:]), 10)
        self.assertTrue(complete(self.directory, OFFERED))
        self.assertEqual(self.names(), [NAME])
        self.assertEqual(readPiece(self.directory, NAME, 0, 20), DATA)

    def test_empty(self) -> None:
        """
        A file of length 0 is one.
        """
        empty = OfferedFile(NAME, 0, hashlib.sha256(b"").hexdigest())
        self.assertTrue(complete(self.directory, empty))
        self.assertEqual(self.names(), [NAME])

    def test_wrongDigest(self) -> None:
        """
        What is not as it was offered is begun again.
        """
        append(self.directory, NAME, 0, b"x" * 10)
        self.assertFalse(complete(self.directory, OFFERED))
        self.assertEqual(self.names(), [])

    def test_tooLong(self) -> None:
        """
        So is what is longer: it is of another file.
        """
        append(self.directory, NAME, 0, b"x" * 11)
        self.assertEqual(received(self.directory, OFFERED), 0)
        self.assertEqual(self.names(), [])

    def test_neverOverwritten(self) -> None:
        """
        A file that is there stays as it is.
        """
        self.write(NAME, b"mine")
        append(self.directory, NAME, 0, DATA)
        self.assertTrue(complete(self.directory, OFFERED))
        self.assertEqual(self.names(), [NAME])
        self.assertEqual(readPiece(self.directory, NAME, 0, 20), b"mine")

    def test_link(self) -> None:
        """
        A link in the place of the unfinished file is not followed.
        """
        os.symlink(self.mktemp(), self.path(f"{NAME}.part"))
        self.assertRaises(OSError, append, self.directory, NAME, 0, DATA)
        self.assertRaises(OSError, complete, self.directory, OFFERED)

    def test_diskFull(self) -> None:
        """
        A disk that is full fails, and keeps what it has.
        """
        self.patch(os, "pwrite", _full)
        self.assertRaises(OSError, append, self.directory, NAME, 0, DATA)
        self.assertEqual(received(self.directory, OFFERED), 4)

    def test_digests(self) -> None:
        """
        The SHA-256 of what is there is told, by name.
        """
        self.write()
        self.assertEqual(digests(self.directory, [NAME, "2-0.rtpdump"]), {NAME: DIGEST})

    def test_discard(self) -> None:
        """
        Unfinished files are removed, and nothing else.
        """
        self.write()
        self.write("2-0.rtpdump.part")
        self.write("other.part")
        discardParts(self.directory)
        self.assertEqual(self.names(), [NAME, "other.part"])


def _full(descriptor: int, data: bytes, offset: int) -> int:
    """
    Write to a disk with room for four octets.
    """
    if offset >= 4:
        raise OSError(28, "No space left on device")
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.write(descriptor, bytes(data[: 4 - offset]))
