"""
Tests of L{siprec.metadata.uui}.
"""

import time

from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.uui import (
    decodeUUI,
    isAvayaUUI,
    parametersOf,
    splitParameters,
    splitValues,
    ucidsOf,
)

# Node 1, sequence 42, time 0x5F0A1B2C.
_UCID = "0001002A5F0A1B2C"
_DECIMAL = "00001000421594497836"


class SplitTests(SynchronousTestCase):
    """
    Values and parameters.
    """

    def test_values(self) -> None:
        """
        Commas inside quotes do not separate.
        """
        self.assertEqual(splitValues('a;b=1, "c,d";e , '), ["a;b=1", '"c,d";e'])
        self.assertEqual(splitValues(""), [])

    def test_parameters(self) -> None:
        """
        Semicolons inside quotes do not either; names are in lower case, the first
        one counts, and a value may be missing.
        """
        self.assertEqual(
            splitParameters('"a;b"; Encoding=hex;x="1;2";flag;x=3'),
            ("a;b", {"encoding": "hex", "x": "1;2", "flag": ""}),
        )
        self.assertEqual(splitParameters(""), ("", {}))
        self.assertEqual(splitParameters(";a=1"), ("", {"a": "1"}))
        self.assertEqual(parametersOf('icid-value="a b";b=2'), {"icid-value": "a b", "b": "2"})

    def test_unclosedQuotes(self) -> None:
        """
        A quote that never ends costs no more than its length.
        """
        began = time.process_time()
        for text in ('"' * 60_001, '"\\' * 30_000, ';"' * 30_001):
            splitValues(text)
            splitParameters(text)
        # Not a measure of speed: with the square of the size it took minutes.
        self.assertLess(time.process_time() - began, 30)


class DecodeTests(SynchronousTestCase):
    """
    RFC 7433 section 4.
    """

    def test_hexadecimal(self) -> None:
        """
        What says that it is hexadecimal and can be printed is decoded, with or
        without a protocol discriminator in front.
        """
        self.assertEqual(decodeUUI("48656C6C6F;encoding=hex"), "Hello")
        self.assertEqual(decodeUUI('"48656c6c6f";ENCODING="HEX"'), "Hello")
        self.assertEqual(decodeUUI("0048656C6C6F;encoding=hex"), "Hello")
        self.assertEqual(decodeUUI("04C3A9;encoding=hex"), "é")

    def test_asItIs(self) -> None:
        """
        Everything else stays as it is.
        """
        for value in (
            "48656C6C6F",
            "Hello;encoding=ascii",
            "486;encoding=hex",
            "xyz;encoding=hex",
            "0102;encoding=hex",
            "00;encoding=hex",
            "FF80;encoding=hex",
            f"04FA08{_UCID};encoding=hex",
            "",
        ):
            self.assertEqual(decodeUUI(value), value)


class UCIDTests(SynchronousTestCase):
    """
    Avaya's call identifier in shared user information.
    """

    def test_element(self) -> None:
        """
        The element FA, alone or behind others, in both notations.
        """
        for value in (
            f"04FA08{_UCID};encoding=hex",
            f"00FA08{_UCID.lower()}",
            f"04C80348656CFA08{_UCID};encoding=hex",
        ):
            self.assertEqual(ucidsOf(value), [_DECIMAL, _UCID], value)

    def test_otherLength(self) -> None:
        """
        One that is not of eight octets has only its digits.
        """
        self.assertEqual(ucidsOf("04FA020102"), ["0102"])

    def test_none(self) -> None:
        """
        Text, other elements and torn ones hold no identifier.
        """
        for value in (
            "",
            "hello",
            "04",
            "04FA",
            "04FA00",
            f"04FA09{_UCID}",
            f"05FA08{_UCID}",
            "04C80348656C",
            _DECIMAL,
        ):
            self.assertEqual(ucidsOf(value), [], value)

    def test_avaya(self) -> None:
        """
        The discriminator 04 with a UCID is Avaya's; others only may be.
        """
        self.assertTrue(isAvayaUUI(f"04FA08{_UCID};encoding=hex"))
        for value in (f"00FA08{_UCID}", "0448656C6C6F", "04", "hello"):
            self.assertFalse(isAvayaUUI(value), value)
