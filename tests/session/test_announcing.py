"""
Tests of L{siprec.session.announcing}.
"""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed

from siprec.session.announcing import Announcement
from siprec.session.model import CallSnapshot
from siprec.store.errors import StoreUnavailable
from tests.session.recordings import START, dialog
from tests.session.servicecase import ServiceTestCase


@define(eq=False)
class _Store:
    """
    Notes what is asked of it, and does it when it is told to.
    """

    saved: list[CallSnapshot] = field(factory=list)
    deleted: list[str] = field(factory=list)
    saving: Deferred[None] = field(factory=Deferred)
    deleting: Deferred[None] = field(factory=lambda: succeed(None))

    def save(self, key: str, snapshot: CallSnapshot) -> Deferred[None]:
        self.saved.append(snapshot)
        return self.saving

    def delete(self, key: str) -> Deferred[None]:
        self.deleted.append(key)
        return self.deleting


class AnnouncementTests(ServiceTestCase):
    """
    A call that is being opened.
    """

    def setUp(self) -> None:
        super().setUp()
        self.live = self.begin()
        self.kept: Any = _Store()
        self.told: list[float] = []
        self.announcement = Announcement(self.clock.seconds, self.note)

    def note(self) -> None:
        """
        The record is in the store.
        """
        self.told.append(self.clock.seconds())

    def withdraw(self) -> None:
        """
        There is no recording.
        """
        self.successResultOf(Deferred.fromCoroutine(self.announcement.withdraw()))

    def test_asked(self) -> None:
        """
        Once it takes long, and there is an id to save it by, the recording is saved as
        one that is over; whoever asked is told when it is there.
        """
        self.announcement.ask(dialog())
        self.announcement.made(self.live, self.kept)
        [snapshot] = self.kept.saved
        self.assertEqual((snapshot.key, snapshot.dialog), (self.live.recording.id, dialog()))
        recording = snapshot.recording
        self.assertEqual((recording.state, recording.endReason), ("finishing", "nodeDied"))
        self.assertEqual((recording.endTime, snapshot.lastActivity), (START, START))
        self.assertEqual(self.live.recording.state, "recording")
        self.assertEqual(self.told, [])
        self.kept.saving.callback(None)
        self.assertEqual(self.told, [START])

    def test_madeFirst(self) -> None:
        """
        The order does not matter; what does not take long is not saved at all, and there
        is nothing to be withdrawn.
        """
        self.announcement.made(self.live, self.kept)
        self.assertEqual(self.kept.saved, [])
        self.announcement.ask(dialog())
        self.assertEqual(len(self.kept.saved), 1)
        self.announcement = Announcement(self.clock.seconds, lambda: None)
        self.announcement.made(self.live, self.kept)
        self.withdraw()
        self.assertEqual(self.kept.deleted, [])

    def test_withdrawn(self) -> None:
        """
        Where there is no recording the record goes; nothing is saved any more.
        """
        self.announcement.made(self.live, self.kept)
        self.announcement.ask(dialog())
        self.withdraw()
        self.assertEqual(self.kept.deleted, [self.live.recording.id])
        self.announcement.ask(dialog())
        self.assertEqual(len(self.kept.saved), 1)

    def test_storeFails(self) -> None:
        """
        A store that fails costs a log entry.
        """
        self.kept.saving, self.kept.deleting = fail(OSError("full")), fail(StoreUnavailable("away"))
        self.announcement.made(self.live, self.kept)
        self.announcement.ask(dialog())
        self.withdraw()
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertEqual(len(self.flushLoggedErrors(StoreUnavailable)), 1)
        self.assertEqual(self.told, [])
