"""
Tests of L{siprec.store.links}.
"""

from __future__ import annotations

import msgpack
from twisted.trial.unittest import SynchronousTestCase

from siprec.store.links import callLink, communicationLink, correlationLink, packedLinks
from tests.store.samples import makeData


class LinkTests(SynchronousTestCase):
    """
    The indexes that lead to a record.
    """

    def test_each(self) -> None:
        """
        Every index has its own names, whatever the text is.
        """
        self.assertEqual(
            (callLink("a:b"), communicationLink("a:b"), correlationLink("a:b")),
            ("call:a:b", "communication:a:b", "correlation:a:b"),
        )

    def test_packed(self) -> None:
        """
        A record's links are there once each, lone surrogates included, in the
        form that the scripts can read: texts only.
        """
        data = makeData(
            callID="c", sessions=("s", "s"), correlations=("session:s", "\udcff", "session:s")
        )
        packed = packedLinks(data)
        self.assertEqual(
            msgpack.unpackb(packed, unicode_errors="surrogatepass"),
            ["call:c", "communication:s", "correlation:session:s", "correlation:\udcff"],
        )
