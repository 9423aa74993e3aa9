"""
Tests of L{siprec.session.channels}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from siprec.session.channels import MOST, SHORTEST, continued, current, ended
from siprec.session.model import Speaker


class HistoryTests(SynchronousTestCase):
    """
    Who was heard, and when.
    """

    def setUp(self) -> None:
        self.history: tuple[Speaker, ...] = ()

    def now(self, at: float, *senders: str, label: str = "1") -> None:
        """
        From now on these are heard.
        """
        self.history = continued(self.history, senders, label, "label", at)

    def spans(self) -> list[tuple[str, float, float | None]]:
        """
        @return: who, from when to when.
        """
        return [(each.participant, each.start, each.end) for each in self.history]

    def test_same(self) -> None:
        """
        As long as it is the same there is one entry, whose confidence is the last one.
        """
        self.now(1.0, "a")
        self.now(2.0, "a")
        self.history = continued(self.history, ["a"], "1", "elimination", 3.0)
        self.assertEqual(self.history, (Speaker("a", "1", 1.0, confidence="elimination"),))

    def test_next(self) -> None:
        """
        Where one ends the other begins.
        """
        self.now(1.0, "a")
        self.now(2.0, "b")
        self.assertEqual(self.spans(), [("a", 1.0, 2.0), ("b", 2.0, None)])
        self.assertEqual(current(self.history), ("b",))

    def test_several(self) -> None:
        """
        On a mixed stream each has their own time.
        """
        self.now(1.0, "a", "b")
        self.now(2.0, "b", "c")
        self.assertEqual(self.spans(), [("a", 1.0, 2.0), ("b", 1.0, None), ("c", 2.0, None)])

    def test_label(self) -> None:
        """
        Another label is another entry, though of the same speaker.
        """
        self.now(1.0, "a")
        self.now(2.0, "a", label="2")
        self.assertEqual([each.label for each in self.history], ["1", "2"])
        self.assertEqual(self.spans(), [("a", 1.0, 2.0), ("a", 2.0, None)])

    def test_between(self) -> None:
        """
        What holds only between the labels and the metadata of one message leaves nothing,
        and who was heard before it and after it was heard all the time.
        """
        self.now(1.0, "a")
        self.now(2.0, "b")
        self.now(2.0 + SHORTEST / 2, "a")
        self.assertEqual(self.spans(), [("a", 1.0, None)])
        self.now(3.0, "c")
        self.now(3.0 + SHORTEST / 2, "b")
        self.assertEqual(self.spans()[-1], ("b", 3.0 + SHORTEST / 2, None))

    def test_back(self) -> None:
        """
        Who comes back after somebody else has a second entry.
        """
        self.now(1.0, "a")
        self.now(2.0, "b")
        self.now(3.0, "a")
        self.assertEqual(self.spans(), [("a", 1.0, 2.0), ("b", 2.0, 3.0), ("a", 3.0, None)])

    def test_ended(self) -> None:
        """
        When a stream is over nobody is heard on it; that it is over can be said again.
        """
        self.now(1.0, "a")
        once = ended(self.history, 4.0)
        self.assertEqual([each.end for each in once], [4.0])
        self.assertEqual(ended(once, 5.0), once)

    def test_bounded(self) -> None:
        """
        A peer cannot make it grow without end.
        """
        for number in range(MOST + 10):
            self.now(float(number), f"p{number}")
        self.assertEqual(len(self.history), MOST)
        self.assertEqual(self.history[-1].participant, f"p{MOST + 9}")
