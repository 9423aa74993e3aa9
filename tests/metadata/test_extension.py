"""
Tests of L{siprec.metadata.extension}.
"""

import time

from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.extension import ExtensionReader, splitTag
from siprec.metadata.model import Extension
from siprec.metadata.parse import parseMetadata


def read(xml: str) -> Extension:
    """
    @return: an element as an extension.
    """
    found = ExtensionReader().read(etree.fromstring(xml))
    assert found is not None
    return found


class SplitTests(SynchronousTestCase):
    """
    Namespace and local name.
    """

    def test_tags(self) -> None:
        """
        A prefix that nobody declared is not part of the name.
        """
        self.assertEqual(splitTag("{urn:x}y"), ("urn:x", "y"))
        self.assertEqual(splitTag("y"), ("", "y"))
        self.assertEqual(splitTag("tns:y"), ("", "y"))


class ReaderTests(SynchronousTestCase):
    """
    Elements as XML and flattened.
    """

    def test_flattened(self) -> None:
        """
        Every text and attribute is there under its path, in document order, and
        an empty element too.
        """
        found = read(
            '<x:a xmlns:x="urn:x" one="1"> text <x:b two="2">3</x:b><!-- no --><c/><c>4</c></x:a>'
        )
        self.assertEqual((found.namespace, found.name), ("urn:x", "a"))
        self.assertEqual(
            found.fields,
            (
                ("a", "text"),
                ("a@one", "1"),
                ("a/b", "3"),
                ("a/b@two", "2"),
                ("a/c", ""),
                ("a/c", "4"),
            ),
        )

    def test_xmlStandsAlone(self) -> None:
        """
        The XML can be parsed by itself, without what follows the element.
        """
        parent = etree.fromstring('<p xmlns:x="urn:x"><x:a><x:b/></x:a>tail</p>')
        found = ExtensionReader().read(parent[0])
        assert found is not None
        again = etree.fromstring(found.xml)
        self.assertEqual((again.tag, again[0].tag, again.tail), ("{urn:x}a", "{urn:x}b", None))

    def test_longPathsAreBounded(self) -> None:
        """
        Paths of deep, long names are left out of the fields, not of the XML.
        """
        name = "n" * 200
        found = read(f"<{name}><{name}>1</{name}></{name}>")
        self.assertEqual(found.fields, ())
        self.assertIn(">1<", found.xml)

    def test_hostileDocumentIsBounded(self) -> None:
        """
        A document that makes each extension repeat long declarations is
        cut short, and says so; what is not extension data is all there.
        """
        declarations = "".join(f' xmlns:p{number}="{"u" * 400}"' for number in range(60))
        body = (
            f'<recording{declarations}><session session_id="S"/>'
            + "<p1:a/>" * 100_000
            + "</recording>"
        )
        began = time.process_time()
        document = parseMetadata(body.encode())
        # Not a measure of speed: with the square of the size it took minutes.
        self.assertLess(time.process_time() - began, 30)
        self.assertLess(sum(len(each.xml) for each in document.extensions), 5 << 20)
        self.assertIn("too much extension data: some of it is left out", document.notes)
        self.assertEqual(document.sessions[0].id, "S")

    def test_manyAreBounded(self) -> None:
        """
        Of elements that say nothing there are only so many; a document of which each
        has its say is read whole.
        """
        head = '<recording xmlns="urn:ietf:params:xml:ns:recording:1"><session session_id="S"/>'
        document = parseMetadata(f"{head}{'<a/>' * 745}</recording>".encode())
        self.assertLess(len(document.extensions), 150)
        self.assertEqual(document.notes, ("too much extension data: some of it is left out",))
        for count in (60, 500):
            telling = "".join(f'<x:caller xmlns:x="urn:x">{n:07}</x:caller>' for n in range(count))
            document = parseMetadata(f"{head}{telling}</recording>".encode())
            self.assertEqual((len(document.extensions), document.notes), (count, ()))

    def test_manyFieldsAreBounded(self) -> None:
        """
        So is the number of flattened fields.
        """
        document = parseMetadata(b"<recording><q>" + b"<a/>" * 50_000 + b"</q></recording>")
        self.assertLess(len(document.extensions[0].fields), 5000)
        self.assertEqual(len(document.notes), 2)
