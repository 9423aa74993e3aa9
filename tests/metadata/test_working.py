"""
Tests of L{siprec.metadata.working}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.model import Extension, MetadataDocument
from siprec.metadata.state import (
    GroupState,
    ParticipantState,
    RecordingMetadata,
    StreamState,
)
from siprec.metadata.working import Working, extended
from tests.metadata.fixtures import minute


class WorkingTests(SynchronousTestCase):
    """
    Rules 8 and 11 of CONFORMANCE B.2.
    """

    def setUp(self) -> None:
        self.state = RecordingMetadata(
            groups={"G": GroupState("G", True)},
            participants={"P": ParticipantState("P")},
            streams={
                "T": StreamState("T", minute(0), True, closed=minute(1), cause="stated"),
                "U": StreamState(
                    "U", minute(0), True, closed=minute(1), cause="absent-in-snapshot"
                ),
            },
        )
        self.work = Working.of(self.state, minute(5))

    def test_copies(self) -> None:
        """
        The state that it began with does not change.
        """
        self.assertTrue(self.work.mayReferSession("S"))
        self.assertEqual(dict(self.state.sessions), {})
        self.assertEqual(self.work.sessions["S"].seen, minute(5))

    def test_define(self) -> None:
        """
        Its own kind or a new identifier is fine, a placeholder gives way, a
        defined element of another kind does not; an empty one never conflicts.
        """
        self.assertTrue(self.work.mayDefine("G", self.work.groups))
        self.assertTrue(self.work.mayDefine("new", self.work.groups))
        self.assertEqual(self.work.notes, {})
        self.assertTrue(self.work.mayDefine("P", self.work.sessions))
        self.assertEqual(self.work.participants, {})
        self.assertFalse(self.work.mayDefine("G", self.work.streams))
        self.assertEqual(len(self.work.notes), 2)
        self.assertTrue(self.work.mayReferStream("") and self.work.mayDefine("", self.work.groups))
        self.assertEqual(len(self.work.notes), 2)

    def test_refer(self) -> None:
        """
        A reference makes a placeholder, unless the identifier is of another kind.
        """
        self.assertTrue(self.work.mayReferGroup("H") and self.work.mayReferParticipant("Q"))
        self.assertFalse(self.work.groups["H"].defined or self.work.participants["Q"].defined)
        self.assertFalse(self.work.mayReferStream("P"))
        self.assertEqual(len(self.work.notes), 1)

    def test_referredStreamIsBack(self) -> None:
        """
        A stream that a snapshot lacked is back when it is referred to; one with a
        stated end is not.
        """
        self.assertTrue(self.work.mayReferStream("T") and self.work.mayReferStream("U"))
        self.assertEqual(self.work.streams["T"].closed, minute(1))
        self.assertEqual((self.work.streams["U"].closed, self.work.streams["U"].cause), (None, ""))

    def test_finished(self) -> None:
        """
        Only a complete document makes a base.
        """
        for mode, based in (("partial", False), ("complete", True)):
            document = MetadataDocument(mode=mode)  # type: ignore[arg-type]
            self.assertEqual(self.work.finished(self.state, document).based, based)

    def test_extended(self) -> None:
        """
        Namespace and name together decide what is replaced.
        """
        one, two, three = (
            Extension("urn:x", "a", "<a>1</a>"),
            Extension("urn:y", "a", "<a>2</a>"),
            Extension("urn:x", "a", "<a>3</a>"),
        )
        self.assertEqual(extended((one, two), ()), (one, two))
        self.assertEqual(extended((one, two), (three,)), (two, three))
