"""
Tests of L{siprec.sip.flow}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.flow import Flow, Witness, unseen


class FlowTests(SynchronousTestCase):
    """
    L{Flow} is a value.
    """

    def test_reliable(self) -> None:
        """
        Every transport but UDP repeats what is lost (RFC 3261 section 17).
        """
        local, remote = ("192.0.2.9", 5060), ("192.0.2.7", 5060)
        self.assertEqual(
            [Flow(name, local, remote, 1).reliable for name in ("UDP", "TCP", "TLS")],
            [False, True, True],
        )

    def test_key(self) -> None:
        """
        A flow can be the key of a table, and another connection of the same
        addresses is another flow.
        """
        one = Flow("TCP", ("192.0.2.9", 5060), ("192.0.2.7", 40000), 1)
        other = Flow("TCP", ("192.0.2.9", 5060), ("192.0.2.7", 40000), 2)
        self.assertEqual(len({one, other, Flow(one.transport, one.local, one.remote, 1)}), 2)

    def test_samePeer(self) -> None:
        """
        Two flows may be of one peer if they share a name, or if one of them
        came while there were no names; what is known of the peer does not make
        it another flow.
        """
        local, remote = ("192.0.2.9", 5060), ("192.0.2.7", 5060)
        nobody, a, b, both = (
            Flow("UDP", local, remote, peers=names) for names in ((), ("a",), ("b",), ("a", "b"))
        )
        self.assertEqual((nobody, hash(nobody)), (a, hash(a)))
        self.assertTrue(a.samePeer(both) and both.samePeer(b))
        self.assertTrue(nobody.samePeer(a) and a.samePeer(nobody))
        self.assertFalse(a.samePeer(b))

    def test_unseen(self) -> None:
        """
        Where nobody looks, a message may be shown all the same.
        """
        witness: Witness = unseen
        self.assertIsNone(witness(Flow("UDP", ("", 1), ("", 2)), True, b"head", b"body"))
