"""
Tests of L{siprec.metadata.state}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.state import (
    Interval,
    Participation,
    RecordingMetadata,
    StreamUse,
    StreamUses,
)
from tests.metadata.fixtures import minute

_OPEN = Participation((Interval(minute(0)),))
_OVER = Participation((Interval(minute(0), None, minute(1), None, "stated"),))


class StateTests(SynchronousTestCase):
    """
    Questions to the state.
    """

    def test_empty(self) -> None:
        """
        At first nothing is known, and each state has maps of its own.
        """
        state = RecordingMetadata()
        self.assertEqual((state.based, state.departed(), list(state.senders())), (False, set(), []))
        self.assertIsNot(state.sessions, RecordingMetadata().sessions)

    def test_departed(self) -> None:
        """
        Who was in a session and is in none has left; who was in none has not.
        """
        state = RecordingMetadata(
            participations={
                ("P", "S"): _OVER,
                ("Q", "S"): _OVER,
                ("Q", "S2"): _OPEN,
                ("R", "S"): _OPEN,
            },
            uses={"Z": StreamUses()},
        )
        self.assertEqual(state.departed(), {"P"})

    def test_senders(self) -> None:
        """
        Those send whose last use is open, unless they have left.
        """
        use = StreamUse(("T", "U"), ("V",), minute(0))
        ended = StreamUse(("V",), (), minute(0), None, minute(1))
        state = RecordingMetadata(
            participations={("P", "S"): _OVER},
            uses={
                "P": StreamUses((use,)),
                "Q": StreamUses((ended, use)),
                "R": StreamUses((ended,)),
            },
        )
        self.assertEqual(list(state.senders()), [("T", "Q"), ("U", "Q")])

    def test_current(self) -> None:
        """
        Only the last use can hold.
        """
        use = StreamUse(("T",), (), minute(0))
        self.assertIsNone(StreamUses().current)
        self.assertIs(StreamUses((use,)).current, use)
