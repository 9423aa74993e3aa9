"""
Tests of L{siprec.session.model}.
"""

from __future__ import annotations

from attrs import evolve
from attrs.exceptions import FrozenInstanceError
from twisted.trial.unittest import SynchronousTestCase

from siprec.session.model import CallSnapshot, Segment, StreamInfo
from tests.session.recordings import NODE, OTHER, START, dialog, session


class ModelTests(SynchronousTestCase):
    """
    What is derived from the plain values.
    """

    def test_nodes(self) -> None:
        """
        Each node is named once, in the order in which they captured.
        """
        segments = tuple(Segment(node, 1, START) for node in (OTHER, NODE, OTHER))
        self.assertEqual(session("/r", segments=segments).nodes, (OTHER, NODE))

    def test_channel(self) -> None:
        """
        A stream keeps its channel when its m-line is used for another one.
        """
        first = StreamInfo(0, 0, "1", (), "192.0.2.1", 10000, active=False)
        second = StreamInfo(1, 0, "2", (), "192.0.2.1", 10002)
        self.assertEqual([first.channel, second.channel], [0, 1])

    def test_key(self) -> None:
        """
        A snapshot's name in a store is that of its recording.
        """
        recording = session("/r")
        self.assertEqual(CallSnapshot(recording, dialog(), START).key, recording.id)

    def test_immutable(self) -> None:
        """
        A snapshot that was handed to a store cannot be changed afterwards, nor
        can two recordings share a default.
        """
        recording = session("/r", sip={})
        with self.assertRaises(FrozenInstanceError):
            recording.state = "complete"  # type: ignore[misc]
        with self.assertRaises(TypeError):
            recording.vendor["type"] = "x"  # type: ignore[index]
        self.assertEqual(evolve(recording, state="complete").id, recording.id)

    def test_noSecrets(self) -> None:
        """
        Descriptions, which may carry keys (RFC 4568), are not in what is
        logged of a dialog.
        """
        shown = repr(evolve(dialog(), localSDP=b"a=crypto", remoteSDP=b"a=crypto"))
        self.assertNotIn("crypto", shown)
