"""
Tests for L{siprec.session.archive}.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from siprec.ids import RecordingID, newRecordingID
from siprec.session.archive import (
    BadCursor,
    NoSuchRecording,
    Page,
    directoryOf,
    locate,
    newest,
    recordingID,
)
from siprec.session.manifest import SCHEMA, Manifest, writeManifest

JUST_BEFORE_MIDNIGHT = datetime(2026, 1, 5, 23, 59, 59, 999000, UTC).timestamp()


def idAt(seconds: float, number: int = 0) -> RecordingID:
    """
    @return: a UUID of version 7 that was made at C{seconds}.
    """
    time = f"{round(seconds * 1000):012x}"
    return RecordingID(f"{time[:8]}-{time[8:]}-7000-8000-{number:012x}")


def everything(manifest: Manifest) -> bool:
    """
    The predicate that wants all.
    """
    return True


class ArchiveTestCase(SynchronousTestCase):
    """
    An archive in a temporary folder.
    """

    def setUp(self) -> None:
        self.root = self.mktemp()

    def store(self, recording: RecordingID, startTime: float, state: str = "complete") -> str:
        directory = directoryOf(self.root, recording, startTime)
        os.makedirs(directory)
        manifest = {"schema": SCHEMA, "id": recording, "state": state}
        writeManifest(directory, manifest, durable=False)
        return directory

    def fill(self, *starts: float) -> list[RecordingID]:
        """
        @return: the ids of stored recordings that began at C{starts}.
        """
        recordings = [idAt(start, number) for number, start in enumerate(starts)]
        for recording, start in zip(recordings, starts, strict=True):
            self.store(recording, start)
        return recordings


class RecordingIDTests(SynchronousTestCase):
    """
    Which names may become part of a path.
    """

    def test_own(self) -> None:
        """
        What this recorder makes is taken.
        """
        made = newRecordingID()
        self.assertEqual(recordingID(made), made)

    def test_foreign(self) -> None:
        """
        Anything else is refused: another path, another version of UUID,
        another spelling of the same one.
        """
        good = idAt(0)
        for bad in (
            "",
            "..",
            "../../etc/passwd",
            f"../{good}",
            f"{good}/..",
            f"{good}\n",
            f"{good}\0",
            good.replace("-", ""),
            "AAAAAAAA" + good[8:],
            good.replace("-7", "-4"),
            good.replace("-8", "-c"),
            "0000000\u0660" + good[8:],
        ):
            self.assertRaises(NoSuchRecording, recordingID, bad)


class LocateTests(ArchiveTestCase):
    """
    Finding one recording.
    """

    def test_layout(self) -> None:
        """
        A recording lies in the folder of its UTC start date.
        """
        recording = idAt(JUST_BEFORE_MIDNIGHT)
        self.assertEqual(
            directoryOf("/r", recording, JUST_BEFORE_MIDNIGHT), f"/r/2026/01/05/{recording}"
        )

    def test_sameDay(self) -> None:
        """
        The time inside the id leads to the folder.
        """
        recording = newRecordingID()
        made = self.store(recording, int(recording.replace("-", "")[:12], 16) / 1000)
        self.assertEqual(locate(self.root, recording), made)

    def test_acrossMidnight(self) -> None:
        """
        An id made just before midnight and a start just after it (or the
        reverse, should the clock be set back) are found too.
        """
        later = self.store(idAt(JUST_BEFORE_MIDNIGHT), JUST_BEFORE_MIDNIGHT + 1)
        self.assertEqual(locate(self.root, idAt(JUST_BEFORE_MIDNIGHT)), later)
        earlier = self.store(idAt(JUST_BEFORE_MIDNIGHT + 1), JUST_BEFORE_MIDNIGHT)
        self.assertEqual(locate(self.root, idAt(JUST_BEFORE_MIDNIGHT + 1)), earlier)

    def test_absent(self) -> None:
        """
        A good id without a recording is reported, as is a folder in which
        nothing was ever written.
        """
        recording = idAt(JUST_BEFORE_MIDNIGHT)
        self.assertRaises(NoSuchRecording, locate, self.root, recording)
        os.makedirs(directoryOf(self.root, recording, JUST_BEFORE_MIDNIGHT))
        self.assertRaises(NoSuchRecording, locate, self.root, recording)

    def test_noPathTraversal(self) -> None:
        """
        A path is not an id, even if a manifest lies where it leads.
        """
        self.store(idAt(0), 0)
        self.assertRaises(NoSuchRecording, locate, self.root, f"../01/{idAt(0)}")

    def test_impossibleTime(self) -> None:
        """
        An id can name a time that no calendar has.
        """
        for recording in ("ffffffff-ffff-7000-8000-000000000000", idAt(253402300799.999)):
            self.assertRaises(NoSuchRecording, locate, self.root, recording)
        self.store(idAt(0), 0)
        self.assertEqual(locate(self.root, idAt(0)), directoryOf(self.root, idAt(0), 0))


class NewestTests(ArchiveTestCase):
    """
    Walking the archive.
    """

    def ids(self, page: Page) -> list[str]:
        return [manifest["id"] for manifest in page.recordings]

    def pages(
        self,
        limit: int,
        predicate: Callable[[Manifest], bool] = everything,
        maxRead: int = 100,
    ) -> list[list[str]]:
        """
        @return: the ids on each page, up to the last one.
        """
        pages = [newest(self.root, None, limit, predicate, maxRead)]
        while pages[-1].cursor is not None:
            pages.append(newest(self.root, pages[-1].cursor, limit, predicate, maxRead))
        return [self.ids(page) for page in pages]

    def test_empty(self) -> None:
        """
        An archive that does not exist yet has no recordings.
        """
        self.assertEqual(newest(self.root, None, 10, everything), Page([], None, []))

    def test_order(self) -> None:
        """
        The newest comes first, over days, months and years.
        """
        day = 86400
        made = self.fill(0, 1, day, 40 * day, 400 * day, 800 * day)
        self.assertEqual(self.ids(newest(self.root, None, 10, everything)), made[::-1])

    def test_pages(self) -> None:
        """
        Each page begins where the one before ended; the last one has no
        cursor, even if it is exactly full.
        """
        day = 86400
        made = self.fill(0, 1, day, day + 1, 400 * day, 800 * day)[::-1]
        self.assertEqual(self.pages(2), [made[:2], made[2:4], made[4:]])
        self.assertEqual(self.pages(4), [made[:4], made[4:]])

    def test_stableCursor(self) -> None:
        """
        A recording that begins between two pages, or one that is deleted,
        does not shift the next page.
        """
        made = self.fill(1, 2, 3, 4)
        first = newest(self.root, None, 2, everything)
        self.store(idAt(5, 5), 5)
        os.unlink(os.path.join(directoryOf(self.root, made[2], 3), "recording.json"))
        os.rmdir(directoryOf(self.root, made[2], 3))
        second = newest(self.root, first.cursor, 2, everything)
        self.assertEqual(self.ids(second), [made[1], made[0]])

    def test_predicate(self) -> None:
        """
        Only what is wanted counts for the limit.
        """
        made = self.fill(1, 2, 3, 4, 5)
        wanted = {made[4], made[1], made[0]}
        pages = self.pages(2, lambda manifest: manifest["id"] in wanted)
        self.assertEqual(pages, [[made[4], made[1]], [made[0]]])

    def test_bounded(self) -> None:
        """
        A question that matches little is answered in parts: one call reads no
        more manifests than it may, and the next goes on from there.
        """
        made = self.fill(1, 2, 3, 4, 5)
        pages = self.pages(9, lambda manifest: manifest["id"] == made[0], maxRead=2)
        self.assertEqual(pages, [[], [], [made[0]]])

    def test_lazy(self) -> None:
        """
        Nothing older than what was asked for is read.
        """
        made = self.fill(1, 2, 3, 4)
        read = []

        def predicate(manifest: Manifest) -> bool:
            read.append(manifest["id"])
            return True

        newest(self.root, None, 2, predicate)
        self.assertEqual(read, [made[3], made[2]])

    def test_foreignFiles(self) -> None:
        """
        Whatever else lies in the archive is passed over.
        """
        made = self.fill(86400)
        for path in ("lost+found", "1970/02/31", "1970/01/xx", "1970/01/02/notes", "0000/01/01"):
            os.makedirs(os.path.join(self.root, path))
        os.makedirs(directoryOf(self.root, idAt(86402, 9), 86402))  # no manifest yet
        with open(os.path.join(self.root, "1971"), "w"):
            pass
        self.assertEqual(self.ids(newest(self.root, None, 10, everything)), made)

    def test_unreadable(self) -> None:
        """
        A manifest that cannot be read is named, and hides no other one.
        """
        made = self.fill(1, 2, 3)
        broken = directoryOf(self.root, made[1], 2)
        with open(os.path.join(broken, "recording.json"), "w") as file:
            file.write("{")
        page = newest(self.root, None, 10, everything)
        self.assertEqual(self.ids(page), [made[2], made[0]])
        [(directory, why)] = page.unreadable
        self.assertEqual(directory, broken)
        self.assertIn("not JSON", why)

    def test_badCursor(self) -> None:
        """
        A cursor is checked, because it comes back from outside.
        """
        for bad in (
            "",
            "x",
            idAt(0),
            f"2026-02-31.{idAt(0)}",
            f"0000-01-01.{idAt(0)}",
            "2026-02-01.../../etc",
        ):
            self.assertRaises(BadCursor, newest, self.root, bad, 10, everything)
