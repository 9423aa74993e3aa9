"""
Tests of L{siprec.sip.grammar}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.errors import BadHeader
from siprec.sip.grammar import (
    paramValue,
    parseParameterized,
    quote,
    readParams,
    splitCommas,
    unquote,
    withoutParam,
    withParam,
    writeParams,
)
from tests.sip.vectors import PROPERTY


class QuoteTests(SynchronousTestCase):
    """
    L{quote} and L{unquote}.
    """

    def test_escapes(self) -> None:
        """
        Quotes, backslashes and controls need a backslash (RFC 3261 section
        25.1, RFC 4475 section 3.1.1.2).
        """
        self.assertEqual(quote('a "b" \\c\x00\t'), '"a \\"b\\" \\\\c\\\x00\t"')
        self.assertEqual(unquote('"a \\"b\\" \\\\c\\\x00"'), 'a "b" \\c\x00')

    def test_unquoted(self) -> None:
        """
        What is not quoted stays as it is, half a quote too.
        """
        for text in ("", '"', "loss", '"open', 'close"', "a\\b"):
            self.assertEqual(unquote(text), text)
        self.assertEqual(unquote('""'), "")

    @PROPERTY
    @given(st.text())
    def test_inverse(self, text: str) -> None:
        """
        What was quoted comes back.
        """
        self.assertEqual(unquote(quote(text)), text)


class ParamsTests(SynchronousTestCase):
    """
    Parameters of a header.
    """

    def test_read(self) -> None:
        """
        Names and values are kept as received; blanks around them do not count
        (RFC 3261 section 7.3.1).
        """
        params = readParams(' ; newparam =\t newvalue ;secondparam;q="a;\\"b";e=;r=2001:db8::1')
        self.assertEqual(
            params,
            (
                ("newparam", "newvalue"),
                ("secondparam", None),
                ("q", '"a;\\"b"'),
                ("e", ""),
                ("r", "2001:db8::1"),
            ),
        )
        self.assertEqual(readParams(writeParams(params)), params)
        self.assertEqual(paramValue(params, "Q"), 'a;"b')
        self.assertEqual([paramValue(params, name) for name in ("secondparam", "x")], [None, None])

    def test_bad(self) -> None:
        """
        Empty parameters, stray text and open quotes are refused (RFC 4475
        section 3.1.2.1).
        """
        for text in (
            ";;",
            ";",
            "a",
            ";a b",
            ";=b",
            ';a="b',
            ";a=b,",
            ";a=<b>",
            ";a=b=c d",
            ";;,;,,",
        ):
            self.assertRaises(BadHeader, readParams, text)

    def test_change(self) -> None:
        """
        A parameter is replaced where it stands, whatever its case, or added at
        the end; all of that name are dropped.
        """
        params = readParams(";a=1;RPORT;b")
        self.assertEqual(writeParams(withParam(params, "rport", "5")), ";a=1;rport=5;b")
        self.assertEqual(writeParams(withParam(params, "c", None)), ";a=1;RPORT;b;c")
        self.assertEqual(writeParams(withoutParam(params, "rport")), ";a=1;b")


class SplitTests(SynchronousTestCase):
    """
    L{splitCommas}.
    """

    def test_plain(self) -> None:
        """
        Elements are cut at commas, and blanks around them are dropped.
        """
        self.assertEqual(splitCommas(" INVITE, ACK\t,BYE "), ["INVITE", "ACK", "BYE"])
        self.assertEqual(splitCommas("one"), ["one"])

    def test_empty(self) -> None:
        """
        An empty list is legal (C{Supported:}), and empty elements do not count.
        """
        self.assertEqual(splitCommas("  "), [])
        self.assertEqual(splitCommas(", a,, b ,"), ["a", "b"])

    def test_protected(self) -> None:
        """
        A comma in quotes or angle brackets does not cut (RFC 3261 section 7.3.1).
        """
        text = '"A, \\"<B" <sip:a,b@h>;x="1,2", <sip:c@h>,sip:d@h'
        self.assertEqual(
            splitCommas(text), ['"A, \\"<B" <sip:a,b@h>;x="1,2"', "<sip:c@h>", "sip:d@h"]
        )

    def test_unbalanced(self) -> None:
        """
        What is not closed takes the rest, which its own parser then refuses.
        """
        self.assertEqual(splitCommas('a, "b, c'), ["a", '"b, c'])
        self.assertEqual(splitCommas("a, <b, c"), ["a", "<b, c"])


class ParameterizedTests(SynchronousTestCase):
    """
    L{parseParameterized}.
    """

    def test_quoted(self) -> None:
        """
        A semicolon in quotes does not cut.
        """
        self.assertEqual(
            parseParameterized('multipart/mixed ; boundary="a;b" ;charset=UTF-8'),
            ("multipart/mixed", (("boundary", '"a;b"'), ("charset", "UTF-8"))),
        )

    def test_equalsInValue(self) -> None:
        """
        Only the first C{=} counts: boundaries may begin with one.
        """
        self.assertEqual(
            parseParameterized("m/x;boundary=----=_Part_1"),
            ("m/x", (("boundary", "----=_Part_1"),)),
        )

    def test_A33_stray(self) -> None:
        """
        Stray semicolons and open quotes are passed over, not refused.
        """
        self.assertEqual(parseParameterized("a/b;;x;"), ("a/b", (("x", None),)))
        self.assertEqual(parseParameterized('a/b;x="y;z'), ("a/b", (("x", '"y;z'),)))
        self.assertEqual(parseParameterized(""), ("", ()))

    @PROPERTY
    @given(st.text(alphabet='ab;="\\ ,<>é'))
    def test_anyText(self, text: str) -> None:
        """
        It never fails.
        """
        value, params = parseParameterized(text)
        self.assertEqual(value, value.strip())
        self.assertTrue(all(params))
