"""
Tests for L{siprec.uas.around}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from siprec.uas.around import checkMedia, warning
from tests.uas.kit import RecorderTestCase


class WarningTests(SynchronousTestCase):
    """
    Warnings for people to read (RFC 3261 section 20.43).
    """

    def test_quoted(self) -> None:
        """
        The text cannot end the quotes around it.
        """
        self.assertEqual(warning('a "b"'), ("Warning", r'399 siprec "a \"b\""'))

    def test_short(self) -> None:
        """
        However long the reason is, the response fits a datagram.
        """
        self.assertLess(len(warning("x" * 100_000)[1]), 250)


class MediaTests(SynchronousTestCase):
    """
    Addresses for media, as configured.
    """

    def test_ours(self) -> None:
        """
        Nothing configured is right, and so is an address of this host; one
        that is not need not be, if another one is bound.
        """
        checkMedia(None, None)
        checkMedia("127.0.0.1", None)
        checkMedia("192.0.2.1", "127.0.0.1")

    def test_foreign(self) -> None:
        """
        An address that cannot be bound is an error with its key.
        """
        error = self.assertRaises(OSError, checkMedia, "192.0.2.1", None)
        self.assertIn("media.address = '192.0.2.1': expected an address of", str(error))
        error = self.assertRaises(OSError, checkMedia, "127.0.0.1", "192.0.2.1")
        self.assertIn("media.bind = '192.0.2.1': expected an address of", str(error))


class AloneTests(RecorderTestCase):
    """
    A node without others.
    """

    def test_alone(self) -> None:
        """
        Every address that a call had is its own, both ways of moving media are open,
        and what another process has nobody answers.
        """
        around = self.house.around
        self.assertTrue(around.keeps("192.0.2.99"))
        self.assertEqual(around.ways, ("address", "reinvite"))
        self.src.call()
        [call] = self.house.recorder.calls.values()
        assert call.live is not None
        key = call.live.recording.id
        self.house.store.onSave = lambda snapshot: self.house.recorder.letGo(key)
        self.assertEqual(self.src.send(self.src.make("BYE")), [])
        self.assertEqual(self.house.wait(60), [])
