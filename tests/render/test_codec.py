"""
Tests of L{siprec.render.codec}.
"""

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from siprec.render.codec import Independent, Payloads
from siprec.render.decode import L16
from tests.render.payloads import payloadsOf


class PayloadTests(SynchronousTestCase):
    """
    The payloads of some packets.
    """

    def test_octet(self) -> None:
        """
        One octet of each is had at once; where there is none it is 0.
        """
        self.assertEqual(payloadsOf(b"\x01\x02", b"", b"\x03").octet(1).tolist(), [2, 0, 0])

    def test_payload(self) -> None:
        """
        Each can be had by itself.
        """
        payloads = payloadsOf(b"ab", b"", b"c")
        self.assertEqual([payloads.payload(row) for row in range(3)], [b"ab", b"", b"c"])

    def test_gather(self) -> None:
        """
        All are had one after the other, wherever they lie and however long they are.
        """
        data = np.frombuffer(b"..ab.cd..e", np.uint8)
        for start, length, wanted in (
            ([2, 5], [2, 2], b"abcd"),
            ([5, 2, 9], [2, 1, 1], b"cdae"),
            ([2, 5], [1, 1], b"ac"),
            ([5, 2], [2, 2], b"cdab"),
            ([2, 2], [2, 2], b"abab"),
            ([5], [2], b"cd"),
            ([], [], b""),
        ):
            payloads = Payloads(data, np.array(start, np.int64), np.array(length, np.int64))
            self.assertEqual(payloads.gather().tobytes(), wanted)

    def test_independent(self) -> None:
        """
        Where each packet is decoded by itself nothing is concealed.
        """
        voice = Independent(L16(8000))
        samples, concealed = voice.decode(payloadsOf(b"\0\1", b"\0\2"), np.array([0, 160]))
        self.assertEqual((samples.tolist(), concealed.tolist()), ([1, 2], [0, 0]))
