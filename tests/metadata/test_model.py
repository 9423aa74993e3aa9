"""
Tests of L{siprec.metadata.model}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.model import (
    Extension,
    Group,
    MetadataDocument,
    Participant,
    ParticipantSession,
    ParticipantStream,
    Session,
    SessionRecording,
    Stream,
)


class DocumentTests(SynchronousTestCase):
    """
    One document.
    """

    def test_empty(self) -> None:
        """
        A document that says nothing is complete and in order.
        """
        document = MetadataDocument()
        self.assertEqual(
            (document.status, document.mode, document.root), ("ok", "complete", "recording")
        )
        self.assertEqual(list(document.allExtensions()), [])

    def test_allExtensions(self) -> None:
        """
        Each extension comes with the kind and the place of its parent.
        """
        one, two = (Extension("urn:x", name, f"<{name}/>") for name in "ab")
        document = MetadataDocument(
            groups=(Group("G", extensions=(one,)),),
            sessions=(Session("S"), Session("S2", extensions=(one, two))),
            participants=(Participant("P", extensions=(two,)),),
            streams=(Stream("T", extensions=(one,)),),
            sessionRecordings=(SessionRecording("S", extensions=(one,)),),
            participantSessions=(ParticipantSession("P", "S", extensions=(one,)),),
            participantStreams=(ParticipantStream("P", extensions=(one,)),),
            extensions=(two,),
        )
        self.assertEqual(
            list(document.allExtensions()),
            [
                ("recording", 0, two),
                ("group", 0, one),
                ("session", 1, one),
                ("session", 1, two),
                ("participant", 0, two),
                ("stream", 0, one),
                ("recsession", 0, one),
                ("participantsession", 0, one),
                ("participantstream", 0, one),
            ],
        )
