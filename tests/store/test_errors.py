"""
Tests of L{siprec.store.errors}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from siprec.store import interfaces
from siprec.store.errors import (
    CorruptRecord,
    LeaseHeld,
    NotOwner,
    SessionDeleted,
    SessionNotFound,
    StoreError,
    StoreUnavailable,
    VersionConflict,
)
from tests.store.contract import makeLease
from tests.store.samples import N2


class ErrorTests(SynchronousTestCase):
    """
    Each error says what happened, and carries what the caller needs.
    """

    def test_messages(self) -> None:
        """
        The text of an error names the session or the node.
        """
        for error, text in (
            (SessionNotFound("a"), "no session 'a'"),
            (VersionConflict("a", 2, 3), "session 'a' is at version 3, not 2"),
            (NotOwner("a", N2, 4), "session 'a' belongs to 'n2' since epoch 4"),
            (CorruptRecord("a", "no msgpack"), "record 'a' cannot be read: no msgpack"),
            (SessionDeleted("a"), "session 'a' was deleted"),
            (LeaseHeld(makeLease()), "node 'n1' is held by process 4711 on 'h1'"),
        ):
            self.assertIsInstance(error, StoreError)
            self.assertEqual(str(error), text)

    def test_notConfused(self) -> None:
        """
        Not found and unavailable are never caught as one another.
        """
        self.assertFalse(issubclass(SessionNotFound, StoreUnavailable))
        self.assertFalse(issubclass(StoreUnavailable, SessionNotFound))

    def test_oneImport(self) -> None:
        """
        Who asks for the interfaces gets the errors with them.
        """
        for error in StoreError.__subclasses__():
            self.assertIs(getattr(interfaces, error.__name__), error)
            self.assertIn(error.__name__, interfaces.__all__)
