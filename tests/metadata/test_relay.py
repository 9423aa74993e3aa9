"""
Tests of L{siprec.metadata.relay}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.relay import Pressed, readRelay
from tests.metadata.fixtures import PROPERTY

_RELAY = "application/dtmf-relay"


class RelayTests(SynchronousTestCase):
    """
    Digits in the bodies of INFO.
    """

    def test_E3_relay(self) -> None:
        """
        Signal and duration in the ways in which they are written.
        """
        for body, digit, duration in (
            (b"Signal=5\r\nDuration=160\r\n", "5", 160),
            (b"Signal= *\nDuration = 250", "*", 250),
            (b"duration: 80\r\nSIGNAL: #\r\n", "#", 80),
            (b"Signal=d\r\n", "D", None),
            (b"Signal=10\r\nDuration=long", "*", None),
            (b"Signal=16\r\nDuration=9999999", "flash", None),
            (b"Signal=hf", "flash", None),
        ):
            self.assertEqual(readRelay(_RELAY, body), Pressed(digit, duration), body)

    def test_E3_plain(self) -> None:
        """
        C{application/dtmf} is the digit alone, or the same as the other.
        """
        self.assertEqual(readRelay("Application/DTMF; x=y", b" 7\r\n"), Pressed("7"))
        self.assertEqual(readRelay("application/dtmf", b"Signal=7"), Pressed("7"))

    def test_none(self) -> None:
        """
        What is no digit, or of another type.
        """
        for kind, body in (
            (_RELAY, b""),
            (_RELAY, b"Signal=E"),
            (_RELAY, b"Signal=17"),
            (_RELAY, b"Signal="),
            ("application/sdp", b"Signal=5"),
            ("", b"5"),
        ):
            self.assertIsNone(readRelay(kind, body), body)

    @PROPERTY
    @given(st.binary(max_size=300))
    def test_neverRaises(self, body: bytes) -> None:
        """
        Whatever stands in a body.
        """
        found = readRelay(_RELAY, body)
        if found is not None:
            self.assertIn(found.digit, [*"0123456789*#ABCD", "flash"])
