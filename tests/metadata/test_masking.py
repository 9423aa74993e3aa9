"""
Tests of L{siprec.metadata.masking}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.masking import NO_MASK, Mask
from siprec.metadata.parse import parseMetadata

NUMBERS = Mask((r"\d{6,}",))


class TextTests(SynchronousTestCase):
    """
    Texts and what holds them.
    """

    def test_digits(self) -> None:
        """
        Each digit of a match becomes a star; the rest stays, and so does the length.
        """
        self.assertEqual(NUMBERS.text("tel:+4930123456;ext=12"), "tel:+**********;ext=12")
        self.assertEqual(Mask((r"\+[0-9 ]+",)).text("+49 30 12"), "+** ** **")

    def test_groups(self) -> None:
        """
        Of a pattern with groups only what they match is masked.
        """
        mask = Mask((r"(\d{2,})\d{3}",))
        self.assertEqual(mask.text("sip:4930123456@x"), "sip:*******456@x")
        self.assertEqual(Mask((r"a(\d)?b",)).text("ab a1b"), "ab a*b")

    def test_several(self) -> None:
        """
        One pattern after the other.
        """
        self.assertEqual(Mask((r"1+", r"2+")).text("112233"), "****33")

    def test_pressed(self) -> None:
        """
        A digit that was pressed is told, or only that there was one.
        """
        self.assertEqual(NUMBERS.pressed("5"), {"digit": "5"})
        self.assertEqual(Mask((), digits=True).pressed("5"), {"digit": None, "masked": True})

    def test_values(self) -> None:
        """
        All texts in a value are masked; its keys, numbers and shape stay.
        """
        value = {"a1234567": ["1234567", ("x", 1234567, None)]}
        self.assertEqual(NUMBERS.values(value), {"a1234567": ["*******", ("x", 1234567, None)]})

    def test_nothing(self) -> None:
        """
        Without patterns nothing is even copied.
        """
        value = {"a": "1234567"}
        self.assertIs(NO_MASK.values(value), value)
        document = parseMetadata(b"<recording/>")
        self.assertEqual(NO_MASK.document(document, b"1234567"), (document, b"1234567"))


BODY = b"""<recording xmlns="urn:ietf:params:xml:ns:recording:1" xmlns:v="urn:v">
 <session session_id="1000001"><v:number at="2222222">3333333</v:number></session>
 <participant participant_id="1000002"><nameID aor="sip:4444444@x?a=b&amp;c=4444444">
  <name>Ann 5555555</name></nameID></participant>
 <stream stream_id="1000003" session_id="1000001"><label>16777227</label></stream>
</recording>"""


class DocumentTests(SynchronousTestCase):
    """
    A metadata document.
    """

    def test_document(self) -> None:
        """
        Addresses, names and extension data are masked, in what was understood and in the
        bytes; identifiers and labels are not.
        """
        document, body = NUMBERS.document(parseMetadata(BODY), BODY)
        (participant,) = document.participants
        self.assertEqual(participant.names[0].aor, "sip:*******@x?a=b&c=*******")
        self.assertEqual(participant.names[0].name, "Ann *******")
        self.assertEqual(participant.id, "1000002")
        (extension,) = document.sessions[0].extensions
        self.assertEqual({value for _, value in extension.fields}, {"*******"})
        self.assertNotIn("3333333", extension.xml)
        self.assertEqual(document.streams[0].label, "16777227")
        self.assertEqual(len(body), len(BODY))
        for number in (b"2222222", b"3333333", b"4444444", b"5555555"):
            self.assertNotIn(number, body)
        for kept in (b"1000001", b"1000002", b"1000003", b"16777227"):
            self.assertIn(kept, body)
        self.assertEqual(parseMetadata(body).participants, document.participants)

    def test_broken(self) -> None:
        """
        The bytes of one that cannot be read are masked as they are.
        """
        body = b"no XML \xff 1234567"
        document, masked = NUMBERS.document(parseMetadata(body), body)
        self.assertEqual(document.status, "error")
        self.assertEqual(masked, b"no XML \xff *******")
