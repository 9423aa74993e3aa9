"""
Tests of L{siprec.sip.stateless}, and of what the layer makes of it.
"""

from __future__ import annotations

from attrs import evolve

from siprec.sip.headers import parseVia
from siprec.sip.message import Response
from tests.sip.layercase import LayerTestCase
from tests.sip.traffic import UDP, request


class RefuseTests(LayerTestCase):
    """
    A refusal without a transaction (RFC 3261 section 8.2.7).
    """

    def test_refuse(self) -> None:
        """
        It has the headers that were asked for, says why, and goes to where
        the request came from; it is counted, and leaves nothing behind.
        """
        self.layer.refuse(request(), UDP, 403, 'not "you"\u20ac', [("X-More", "1")])
        [response] = self.wire.take()
        assert isinstance(response, Response)
        self.assertEqual((response.status, response.headers.get("X-More")), (403, "1"))
        self.assertEqual(response.headers.get("Warning"), r'399 siprec "not \"you\"?"')
        self.assertTrue(response.toTag)
        self.assertEqual(self.layer.responses["403"], 1)
        self.assertFalse(self.layer.has(request()))
        self.assertEqual(self.user.requests, [])

    def test_copies(self) -> None:
        """
        Copies have the same answer.
        """
        for _ in range(2):
            self.layer.refuse(request(), UDP, 403, "no")
        first, second = self.wire.take()
        self.assertEqual(first, second)

    def test_nobodyToAnswer(self) -> None:
        """
        Without a Via that can be read there is no answer, and no error.
        """
        bare = request()
        self.layer.refuse(evolve(bare, headers=bare.headers.replacing("Via", "?")), UDP, 403, "no")
        self.assertEqual(self.wire.take(), [])
        self.assertEqual(self.layer.counters["unhandledErrors"], 0)

    def test_stopped(self) -> None:
        """
        A layer that has stopped says nothing more.
        """
        self.layer.stop()
        self.layer.refuse(request(), UDP, 403, "no")
        self.assertEqual(self.wire.take(), [])

    def test_repeats(self) -> None:
        """
        A copy is one of a request with a transaction, of the same method.
        """
        self.assertFalse(self.layer.repeats(request()))
        self.receive(request())
        self.assertTrue(self.layer.repeats(request()))
        self.assertFalse(self.layer.repeats(request("CANCEL")))
        self.assertEqual(self.layer.cancelled(request("CANCEL")), UDP)
        via = str(parseVia("SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKother"))
        self.assertIsNone(self.layer.cancelled(request("CANCEL", via=via)))


class TryingTests(LayerTestCase):
    """
    A request is to be answered later.
    """

    def test_trying(self) -> None:
        """
        A 100 without a tag goes to where it came from, and is counted; there is still no
        transaction.
        """
        self.layer.tell(request(), UDP)
        [response] = self.wire.take()
        assert isinstance(response, Response)
        self.assertEqual((response.status, response.toTag), (100, None))
        self.assertEqual(self.layer.responses["100"], 1)
        self.assertFalse(self.layer.has(request()))

    def test_nobodyToTell(self) -> None:
        """
        Without a Via that can be read, or when the layer has stopped, nothing is told.
        """
        bare = request()
        self.layer.tell(evolve(bare, headers=bare.headers.replacing("Via", "?")), UDP)
        self.assertEqual(self.layer.counters["unhandledErrors"], 0)
        self.layer.stop()
        self.layer.tell(request(), UDP)
        self.assertEqual(self.wire.take(), [])
