"""
Tests of L{siprec.metadata.xml}: from bytes to a tree, whatever the bytes are.
"""

import time

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.xml import MAX_BYTES, MAX_DEPTH, Tree, readTree
from tests.metadata.fixtures import PROPERTY


def root(tree: Tree) -> etree._Element:
    """
    @return: the root of a document that must have been read.
    """
    assert tree.root is not None, tree.notes
    return tree.root


def nested(levels: int, closed: bool = True) -> bytes:
    """
    @return: a document as deep as this.
    """
    return b"<a>" * levels + (b"</a>" * levels if closed else b"")


class LimitTests(SynchronousTestCase):
    """
    What is refused.
    """

    def refused(self, body: bytes, reason: str) -> None:
        tree = readTree(body)
        self.assertIsNone(tree.root)
        self.assertIn(reason, tree.notes[-1])

    def test_B3_size(self) -> None:
        """
        One byte above the limit is refused, the limit itself is not.
        """
        body = b"<a>" + b" " * (MAX_BYTES - 7) + b"</a>"
        self.assertIsNotNone(readTree(body).root)
        self.refused(body + b"\n", "longer")

    def test_B3_depth(self) -> None:
        """
        One level above the limit is refused, the limit itself is not.
        """
        self.assertIsNotNone(readTree(nested(MAX_DEPTH)).root)
        self.refused(nested(MAX_DEPTH + 1), "levels")

    def test_B3_veryDeep(self) -> None:
        """
        Ten thousand levels, closed or not, do not crash.
        """
        for body in (nested(10_000), nested(10_000, False), nested(300_000, False)):
            self.assertIsNone(readTree(body).root)

    def test_B3_documentType(self) -> None:
        """
        A document type declaration is refused before it is parsed, wherever it
        may legally stand and in the recovering pass too.
        """
        bomb = b'<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><r>&b;</r>'
        self.refused(bomb, "document type")
        self.refused(b'<?xml version="1.0"?>\n<!-- x -->\n' + bomb, "document type")
        self.refused(b'<?x <!-- ?><!DOCTYPE r SYSTEM "file:///x"><?y --> ?><r/>', "document type")
        self.refused(b"junk" + bomb, "document type")
        self.refused(bomb.decode().encode("utf-16"), "document type")

    def test_B3_documentTypeAsText(self) -> None:
        """
        The same letters in a comment or a CDATA section are nothing special.
        """
        self.assertIsNotNone(readTree(b"<!-- <!DOCTYPE r> --><r/>").root)
        tree = readTree(b"<r><![CDATA[<!DOCTYPE r>]]></r>")
        self.assertEqual(root(tree).text, "<!DOCTYPE r>")

    def test_B3_longNamespace(self) -> None:
        """
        A namespace name longer than any real one is refused: a document could
        make its size count once for each element.
        """
        self.refused(b'<r xmlns:q="' + b"u" * 512 + b'"/>', "namespace")
        self.refused(b"<r xmlns=" + b"u" * 600 + b"/>", "namespace")
        self.refused(b"<r xmlns:q='" + b"u" * 400 + b"<" + b"u" * 400 + b"'/>", "namespace")
        text = b'<r a="xmlns=\'"><b/>' + b" " * 600 + b"</r>"
        self.assertIsNotNone(readTree(text).root)
        self.assertIsNotNone(readTree(b"<r xmlns='" + b"u" * 511 + b"'/>").root)

    def test_B3_manyPrefixesAndAttributes(self) -> None:
        """
        So are more prefixes or attributes than any real document has.
        """
        prefixes = b"".join(b" xmlns:p%d='u'" % number for number in range(65))
        self.refused(b"<r" + prefixes + b"/>", "prefixes")
        self.assertIsNotNone(readTree(b"<r" + prefixes[:-13] + b"/>").root)
        self.assertIsNotNone(readTree(b"<r>" + b"<a xmlns:q='u'/>" * 99 + b"</r>").root)
        attributes = b"".join(b" a%d='1'" % number for number in range(257))
        self.refused(b"<r><a" + attributes + b"/></r>", "attributes")
        self.refused(b"<r><a x=&" + attributes + b"/></r>", "attributes")
        self.assertIsNotNone(readTree(b"<r><a" + attributes[:-9] + b"/></r>").root)

    def test_B3_nothing(self) -> None:
        """
        Without a single element there is nothing to read.
        """
        self.refused(b"", "empty")
        self.refused(b" \r\n\0", "empty")
        self.refused(b"no markup at all", "no element")
        self.refused(b"<!-- never closed", "no element")

    def test_B3_networkAndEntities(self) -> None:
        """
        An entity that is not one of the five is text, never a reference.
        """
        tree = readTree(b"<r>&nbsp;&xxe;x</r>")
        self.assertTrue(tree.recovered)
        self.assertEqual(root(tree).text, "&nbsp;&xxe;x")

    def test_hostileSizesAreLinear(self) -> None:
        """
        No input of the permitted size takes a time that grows with its square.
        """
        bodies = (
            b"<??>" * (MAX_BYTES // 4),
            b"<![CDATA[" * (MAX_BYTES // 9),
            b"<r " + b"a" * (MAX_BYTES - 10) + b"<",
            b"<r " + b"a=' " * (MAX_BYTES // 4 - 10) + b">",
            b'<r x="' + b'="' * (MAX_BYTES // 2 - 10) + b"&>",
            b"<r>" + b"&" * (MAX_BYTES // 2),
            b"<r>" + b"<" * (MAX_BYTES // 2),
            b" " * MAX_BYTES,
            b"<r " + b"xmlns" * (MAX_BYTES // 5 - 10) + b">",
            b"<r xmlns" + b" " * (MAX_BYTES - 20) + b">",
        )
        for body in bodies:
            began = time.process_time()
            readTree(body)
            # Not a measure of speed: with the square of the size it took minutes.
            self.assertLess(time.process_time() - began, 30, body[:20])


class CharsetTests(SynchronousTestCase):
    """
    From octets to characters (RFC 7303 section 3).
    """

    def text(self, body: bytes, charset: str | None = None) -> str:
        return root(readTree(body, charset)).text or ""

    def test_B3_mark(self) -> None:
        """
        A byte order mark says what follows, whatever else is said.
        """
        for encoding in ("utf-8-sig", "utf-16", "utf-32"):
            self.assertEqual(self.text("<r>ä</r>".encode(encoding), "iso-8859-1"), "ä")
        self.assertEqual(self.text(b"\r\n\xef\xbb\xbf<?xml version='1.0'?><r>x</r>"), "x")

    def test_B3_parameterBeforeDeclaration(self) -> None:
        """
        The charset of the MIME part overrides the XML declaration.
        """
        body = "<?xml version='1.0' encoding='utf-8'?><r>ä</r>".encode("iso-8859-1")
        tree = readTree(body, '"ISO-8859-1"')
        self.assertEqual((root(tree).text, tree.notes), ("ä", ()))

    def test_B3_declaration(self) -> None:
        """
        Without it the declaration holds, unless it cannot be true.
        """
        declared = "<?xml version='1.0' encoding='{}'?><r>ä</r>"
        self.assertEqual(self.text(declared.format("windows-1252").encode("cp1252")), "ä")
        self.assertEqual(self.text(declared.format("UTF-16").encode()), "ä")

    def test_B3_latin1(self) -> None:
        """
        Invalid UTF-8 is read as latin-1, with a note.
        """
        tree = readTree("<r>Jürgen</r>".encode("latin-1"))
        self.assertEqual(root(tree).text, "Jürgen")
        self.assertIn("latin-1", tree.notes[0])
        self.assertFalse(tree.recovered)

    def test_B3_unknownCharset(self) -> None:
        """
        An unknown charset counts as UTF-8, and so does one that no XML can be
        in, however well Python knows it.
        """
        for charset in ("klingon", "utf-7", "punycode", "hex", "\0", "x" * 500):
            tree = readTree("<r>ä</r>".encode(), charset)
            self.assertEqual(root(tree).text, "ä")
            self.assertIn("unknown charset", tree.notes[0])


class RecoveryTests(SynchronousTestCase):
    """
    The second pass, for what is not well-formed.
    """

    def recovered(self, body: bytes) -> etree._Element:
        tree = readTree(body)
        self.assertTrue(tree.recovered)
        self.assertIn("not well-formed", tree.notes[0])
        return root(tree)

    def test_J2_ampersand(self) -> None:
        """
        A bare C{&} stays, in texts and attributes; a real reference is resolved,
        and a CDATA section left alone.
        """
        found = self.recovered(b'<r a="x&y=1">&amp;&<![CDATA[&b]]>&#65;&lt;</r>')
        self.assertEqual(found.get("a"), "x&y=1")
        self.assertEqual(found.text, "&&&bA<")

    def test_B3_referenceToNoCharacter(self) -> None:
        """
        A reference to a surrogate or a control character becomes U+FFFD.
        """
        found = self.recovered(b"<r a='&#xD800;'>&#0;&#65;&#x9;&#x110000;&#6A;</r>")
        self.assertEqual((found.get("a"), found.text), ("\ufffd", "\ufffdA\t\ufffd&#6A;"))

    def test_J2_unclosedSection(self) -> None:
        """
        A CDATA section that never ends does not hide what comes before it.
        """
        found = self.recovered(b"<r><a>1</a><![CDATA[&b</r>")
        self.assertEqual(found[0].text, "1")

    def test_B3_unquotedAttributes(self) -> None:
        """
        Values without quotes end at a blank or at the end of the tag.
        """
        found = self.recovered(
            b"<r xmlns:q=http://q/ a=1 b='2 3' c=\"4\"><q:x d=5/><y e=a/b></y></r>"
        )
        self.assertEqual(found.nsmap, {"q": "http://q/"})
        self.assertEqual(dict(found.attrib), {"a": "1", "b": "2 3", "c": "4"})
        self.assertEqual(found[0].get("d"), "5")
        self.assertEqual(found[1].get("e"), "a/b")

    def test_B3_addressInAttribute(self) -> None:
        """
        A whole name-addr in an attribute is kept.
        """
        found = self.recovered(b'<r><n aor="Bob <sip:bob@x;user=phone>"/><m/></r>')
        self.assertEqual(found[0].get("aor"), "Bob <sip:bob@x;user=phone>")
        self.assertEqual(len(found), 2)

    def test_B3_truncated(self) -> None:
        """
        What comes before the end of a torn document is there.
        """
        found = self.recovered(b"<r><a>1</a><b>2</b><c x='")
        self.assertEqual([found[0].text, found[1].text], ["1", "2"])

    def test_B3_controls(self) -> None:
        """
        Control characters are dropped, and so is what stands before the first
        element or after the last.
        """
        found = self.recovered(b"--x\r\n<r>\x01a\0</r>trailing")
        self.assertEqual(found.text, "a")

    def test_B3_undeclaredPrefix(self) -> None:
        """
        An undeclared prefix gets a namespace, so that the element can be written
        out by itself.
        """
        found = self.recovered(b"<r><q:x q:y='1' z='2'><q:-1/></q:x></r>")
        self.assertEqual(found[0].tag, "{urn:undeclared:q}x")
        self.assertEqual(dict(found[0].attrib), {"{urn:undeclared:q}y": "1", "z": "2"})
        self.assertIsNotNone(etree.fromstring(etree.tostring(found[0])))
        found = self.recovered(b"<r xml:lang='en'>")
        self.assertEqual(found.keys(), ["{http://www.w3.org/XML/1998/namespace}lang"])
        found = self.recovered(b"<r xmlns='urn:r'><q:")
        self.assertEqual(found[0].tag, "{urn:undeclared:q}_")

    def test_B3_namespaceThatIsNoURI(self) -> None:
        """
        A namespace that no strict parser would take is given another name.
        """
        found = self.recovered("<r xmlns:q='urn:\ufffdx y'><q:a/><b/></r>".encode())
        self.assertEqual(found[0].tag, "{urn:undeclared:-urn-x-y}a")
        self.assertIsNotNone(etree.fromstring(etree.tostring(found)))

    def test_B3_repeatedAttribute(self) -> None:
        """
        The first of two attributes with one name counts.
        """
        found = self.recovered(b"<r><a b='1' c='2' b='3'/></r>")
        self.assertEqual(found[0].items(), [("b", "1"), ("c", "2")])

    @PROPERTY
    @given(st.binary(max_size=200))
    def test_neverRaises(self, body: bytes) -> None:
        """
        Any octets have an outcome, also inside an element.
        """
        readTree(body)
        readTree(b"<r>" + body + b"</r>", "utf-8")

    @PROPERTY
    @given(st.text("<>/='\"&;:! \nabq[]CDATA-?x", max_size=120), st.sampled_from(["", "utf-16"]))
    def test_neverRaisesOnMarkup(self, text: str, charset: str) -> None:
        """
        Any heap of markup has an outcome that can be written out again.
        """
        tree = readTree(b"<r>" + text.encode(), charset)
        if tree.root is not None:
            for child in tree.root:
                etree.tostring(child)
