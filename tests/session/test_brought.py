"""
Tests of L{siprec.session.brought}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.model import MetadataDocument
from siprec.session.brought import MEDIA_TYPE, Document, StreamRequest


class BroughtTests(SynchronousTestCase):
    """
    What a client brings.
    """

    def test_document(self) -> None:
        """
        A body is never part of a log line; the media type is that of RFC 9806 unless
        another one came.
        """
        document = Document(b"secret", MetadataDocument())
        self.assertNotIn("secret", repr(document))
        self.assertEqual(document.mediaType, MEDIA_TYPE)

    def test_stream(self) -> None:
        """
        A stream is audio that is received unless something else is said.
        """
        stream = StreamRequest(0, None, ())
        self.assertEqual((stream.kind, stream.direction), ("audio", "recvonly"))
