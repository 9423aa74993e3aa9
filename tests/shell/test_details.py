"""
Tests of L{siprec.shell.details}; more of them are in
L{tests.shell.test_commands}.
"""

from __future__ import annotations

from siprec.shell.details import describeSession
from tests.session.livecase import document
from tests.session.servicecase import ServiceTestCase


class DetailsTests(ServiceTestCase):
    """
    A recording whose dialog has ended.
    """

    def test_parts(self) -> None:
        """
        Each part has its title; without a call there is none of the dialog.
        """
        live = self.begin(document("1", "2"))
        shown = repr(describeSession(live, None, self.clock.seconds() + 61))
        for title in ("participants", "streams", "segments", "metadata"):
            self.assertIn(title, shown)
        self.assertNotIn("dialog", shown)
        self.assertIn(live.recording.id, shown)
        self.assertIn("Ann", shown)
        self.finish(live)

    def test_empty(self) -> None:
        """
        What there is nothing of is left out, but for the participants.
        """
        live = self.begin()
        shown = repr(describeSession(live, None, self.clock.seconds()))
        self.assertIn("the metadata names none", shown)
        self.assertNotIn("metadata-1.xml", shown)
        self.finish(live)

    def test_events(self) -> None:
        """
        Events are shown with their facts.
        """
        live = self.begin()
        live.event("stitched", callID="call-2")
        shown = repr(describeSession(live, None, self.clock.seconds()))
        self.assertRegex(shown, r"stitched +callID=call-2")
        self.finish(live)
