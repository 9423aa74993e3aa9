"""
Tests of L{siprec.metadata.elements}.
"""

from datetime import UTC

from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.elements import Parts, PartsReader
from siprec.metadata.model import NameID, Reason


class PartsReaderTests(SynchronousTestCase):
    """
    Elements taken apart.
    """

    def setUp(self) -> None:
        self.notes: dict[str, None] = {}
        self.reader = PartsReader("urn:own", UTC, self.notes)

    def take(self, xml: str, kind: str) -> Parts:
        return self.reader.take(etree.fromstring(xml), kind)

    def test_namespaces(self) -> None:
        """
        Children in the root's own namespace, a known one or none belong to the
        document; those of another are extension data, as are unknown ones.
        """
        parts = self.take(
            '<s xmlns:o="urn:own" xmlns:f="urn:foreign"><o:label>1</o:label>'
            "<f:label>2</f:label><odd>3</odd></s>",
            "stream",
        )
        self.assertEqual(parts.text("label"), "1")
        self.assertEqual([each.name for each in parts.extensions], ["label", "odd"])

    def test_manyNames(self) -> None:
        """
        However many names documents have had, those of ours are known.
        """
        for number in range(5000):
            self.take(f"<s><n{number}/></s>", "stream")
        parts = self.take("<s><label>1</label></s>", "stream")
        self.assertEqual(parts.text("label"), "1")

    def test_attributes(self) -> None:
        """
        Attributes of a foreign namespace are not ours.
        """
        parts = self.take('<s xmlns:f="urn:f" Stream-ID=" 1 " f:session="2"/>', "stream")
        self.assertEqual(parts.attributes, {"streamid": "1"})
        self.assertEqual(parts.attribute("id", "streamid"), "1")
        self.assertIsNone(parts.attribute("session"))

    def test_wrappedText(self) -> None:
        """
        A draft puts an identifier into an element of its own; repeated ones and
        empty ones count once and not at all.
        """
        parts = self.take(
            "<p><send><id> a </id></send><send>a</send><send/><send>b</send></p>", "participant"
        )
        self.assertEqual(parts.identifiers("send"), ("a", "b"))

    def test_nameIDs(self) -> None:
        """
        The address may be attribute, child or text; each name counts; the rest is
        extension data.
        """
        parts = self.take(
            '<p><nameID aor="sip:1@x"><name lang="en">One</name><name>Uno</name><z/></nameID>'
            "<nameID><aor>sip:2@x</aor></nameID><nameID>sip:3@x</nameID></p>",
            "participant",
        )
        self.assertEqual(
            parts.compounds.names,
            [
                NameID("sip:1@x", "One", "en"),
                NameID("sip:1@x", "Uno"),
                NameID("sip:2@x"),
                NameID("sip:3@x"),
            ],
        )
        self.assertEqual([each.name for each in parts.extensions], ["z"])

    def test_reasons(self) -> None:
        """
        A missing or wrong cause is noted; the protocol is SIP by default.
        """
        parts = self.take(
            '<s><reason cause="16" protocol="Q.850">bye</reason><reason/>'
            f'<reason cause="{"9" * 6000}">odd</reason></s>',
            "session",
        )
        self.assertEqual(
            parts.compounds.reasons,
            [Reason("bye", 16, "Q.850"), Reason("", None), Reason("odd", None)],
        )
        self.assertEqual(list(self.notes), ["reason without a cause"])

    def test_params(self) -> None:
        """
        Capabilities are pairs (RFC 7865 section 6.6.1).
        """
        parts = self.take(
            '<p><param pname="isfocus" pval="true"/><param/></p>', "participantsessionassoc"
        )
        self.assertEqual(parts.compounds.params, [("isfocus", "true"), ("", "")])

    def test_times(self) -> None:
        """
        A blank time counts as none; what is no time is noted.
        """
        parts = self.take(
            "<g><associate-time/><disassociate-time>soon</disassociate-time></g>", "group"
        )
        self.assertIsNone(self.reader.time(parts, "associate"))
        time = self.reader.time(parts, "disassociate")
        assert time is not None
        self.assertEqual((time.raw, time.value), ("soon", None))
        self.assertEqual(list(self.notes), ["not a time: 'soon'"])

    def test_notesAreBounded(self) -> None:
        """
        A document cannot make more than fifty notes.
        """
        for number in range(200):
            self.reader.note(str(number))
        self.assertEqual(len(self.notes), 50)
