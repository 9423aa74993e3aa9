"""
Tests of L{siprec.metadata.closing}.
"""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.closing import closeAbsent, closeAbsentSessions, idleStreams, settle
from siprec.metadata.model import MetadataDocument, ParticipantStream, Session
from siprec.metadata.state import (
    Association,
    GroupState,
    Interval,
    Participation,
    RecordingMetadata,
    SessionState,
    StreamState,
    StreamUse,
    StreamUses,
)
from siprec.metadata.working import Working
from tests.metadata.fixtures import minute


class ClosingTests(SynchronousTestCase):
    """
    Rules 2 and 6 of CONFORMANCE B.2.
    """

    def setUp(self) -> None:
        opened = (Interval(minute(0)),)
        stopped = SessionState("S", minute(0), True, closed=minute(3), cause="stated")
        self.state = RecordingMetadata(
            groups={"G": GroupState("G", True, opened)},
            sessions={
                "S": evolve(stopped, stopTime=minute(2)),
                "S2": SessionState("S2", minute(0), True),
            },
            streams={
                "T": StreamState("T", minute(0), True, "S"),
                "U": StreamState("U", minute(0), True, "S2"),
                "V": StreamState("V", minute(0)),
            },
            recordings={"S": Association(opened), "S2": Association(opened)},
            participations={
                ("P", "S"): Participation(opened),
                ("P", "S2"): Participation(opened),
            },
            uses={
                "P": StreamUses((StreamUse(("T", "U", "V", "lost"), (), minute(0)),)),
                "Q": StreamUses(),
            },
        )
        self.work = Working.of(self.state, minute(9))

    def test_idleStreams(self) -> None:
        """
        Those of stopped sessions; those of no session when all are over.
        """
        self.assertEqual(idleStreams(self.work), {"T"})
        self.work.sessions["S2"] = evolve(self.work.sessions["S2"], closed=minute(4))
        self.assertEqual(idleStreams(self.work), {"T", "V"})
        self.assertEqual(idleStreams(Working.of(RecordingMetadata(), minute(0))), set())

    def test_settle(self) -> None:
        """
        What belongs to the stopped session ends when and why it did; the other
        session goes on.
        """
        settle(self.work)
        ended = (Interval(minute(0), None, minute(3), minute(2), "session-stopped"),)
        self.assertEqual(self.work.participations["P", "S"].intervals, ended)
        self.assertEqual(self.work.recordings["S"].intervals, ended)
        self.assertEqual(self.work.participations["P", "S2"].intervals, (Interval(minute(0)),))
        self.assertEqual(
            {id: stream.cause for id, stream in self.work.streams.items()},
            {"T": "session-stopped", "U": "", "V": ""},
        )
        self.assertEqual(
            self.work.uses["P"].uses[-1],
            StreamUse(("U", "V", "lost"), (), minute(3), minute(2)),
        )

    def test_settleAll(self) -> None:
        """
        When the last session is over, streams of no session are idle too.
        """
        self.work.sessions["S2"] = evolve(
            self.work.sessions["S2"], closed=minute(4), cause="stated"
        )
        settle(self.work)
        self.assertEqual(self.work.streams["V"].closed, minute(4))
        self.assertEqual(self.work.uses["P"].uses[-1].send, ("lost",))

    def test_settleNothing(self) -> None:
        """
        Without a stopped session there is nothing to do.
        """
        del self.work.sessions["S"]
        settle(self.work)
        self.assertEqual(self.work.participations, dict(self.state.participations))

    def test_absentSessions(self) -> None:
        """
        A session that is not mentioned is over now; one that was, was before.
        """
        closeAbsentSessions(self.work, MetadataDocument())
        self.assertEqual(self.work.sessions["S"].closed, minute(3))
        self.assertEqual(
            (self.work.sessions["S2"].closed, self.work.sessions["S2"].cause),
            (minute(9), "absent-in-snapshot"),
        )

    def test_absent(self) -> None:
        """
        So is everything else; a reference is a mention.
        """
        document = MetadataDocument(
            sessions=(Session("S2", groupRef="G"),),
            participantStreams=(ParticipantStream("Q", ("U",), ("V",)),),
        )
        closeAbsentSessions(self.work, document)
        closeAbsent(self.work, document)
        self.assertIsNone(self.work.sessions["S2"].closed)
        self.assertEqual(self.work.groups["G"].intervals, (Interval(minute(0)),))
        self.assertEqual(self.work.recordings["S2"].intervals, (Interval(minute(0)),))
        closed = (Interval(minute(0), None, minute(9), None, "absent-in-snapshot"),)
        self.assertEqual(self.work.recordings["S"].intervals, closed)
        self.assertEqual(self.work.participations["P", "S2"].intervals, closed)
        self.assertEqual(
            {id: stream.closed for id, stream in self.work.streams.items()},
            {"T": minute(9), "U": None, "V": None},
        )
        self.assertEqual(self.work.uses["P"].uses[-1].cause, "absent-in-snapshot")
