"""
Tests of L{siprec.metadata.serialize}: whatever is written is valid, by our own grammar of
RFC 7865 and by the schema of the RFC where that is at hand.
"""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from siprec.metadata.model import (
    Group,
    MetadataDocument,
    NameID,
    Participant,
    Reason,
    Session,
    Stream,
    Time,
)
from siprec.metadata.parse import parseMetadata
from siprec.metadata.serialize import serialize, snapshotRequest
from tests.metadata import fixtures
from tests.metadata.documents import documents
from tests.metadata.fixtures import PROPERTY, original
from tests.metadata.schema import GRAMMAR

_HEAD = '<recording xmlns="urn:ietf:params:xml:ns:recording:1">'
_DIALECTS = [each for each in vars(fixtures).values() if isinstance(each, bytes)]


def _schemas() -> list[etree.XMLSchema]:
    """
    @return: the schema of the RFC, if it is at hand.
    """
    with TemporaryDirectory() as folder:
        try:
            for name in ("rfc7865.xsd", "xml.xsd"):
                (Path(folder) / name).write_bytes(original("siprec", name))
        except SkipTest:
            return []
        return [etree.XMLSchema(etree.parse(str(Path(folder) / "rfc7865.xsd")))]


class SchemaTests(SynchronousTestCase):
    """
    What is written, against our own grammar, and the schema of the RFC if there is one.
    """

    def setUp(self) -> None:
        self.validators = [GRAMMAR, *_schemas()]

    def valid(self, body: bytes) -> None:
        """
        Assert that a document is valid.
        """
        for validator in self.validators:
            if not validator.validate(etree.fromstring(body)):
                self.fail(f"{validator.error_log}\n{body.decode()}")

    def test_B1_invalid(self) -> None:
        """
        Not everything is valid: neither another order, nor elements and attributes that
        are unknown or missing, nor values that are none.
        """
        for content in (
            '<stream stream_id="AAAA"/><session session_id="AAAA"/>',
            "<session/>",
            '<session session_id="not base64!"/>',
            '<session session_id="AAAA"><start-time>soon</start-time></session>',
            '<session session_id="AAAA"><label>1</label></session>',
            '<session session_id="AAAA" state="x"/>',
            '<participant participant_id="AAAA"/>',
            "<datamode>Partial</datamode>",
            '<extra xmlns=""/>',
            "<group/>",
        ):
            root = etree.fromstring(f"{_HEAD}{content}</recording>")
            for validator in self.validators:
                self.assertFalse(validator.validate(root), content)

    def test_dialects(self) -> None:
        """
        Every dialect becomes valid.
        """
        for body in _DIALECTS:
            self.valid(serialize(parseMetadata(body)))

    def test_examples(self) -> None:
        """
        Every example of the RFCs stays valid and says the same.
        """
        names = [f"rfc7865-ex-{number:02d}.xml" for number in (1, 2, 3)]
        names += [f"rfc8068-ex-{number:02d}.xml" for number in range(1, 15)]
        for name in names:
            document = parseMetadata(original("siprec", name))
            self.assertEqual(document.status, "ok", name)
            body = serialize(document)
            self.valid(body)
            self.assertEqual(parseMetadata(body), document)

    def test_requests(self) -> None:
        """
        So are snapshot requests.
        """
        self.valid(snapshotRequest("lost"))
        self.valid(snapshotRequest("", None))

    @PROPERTY
    @given(documents)
    def test_anything(self, document: MetadataDocument) -> None:
        """
        So is whatever a document holds.
        """
        self.valid(serialize(document))

    @PROPERTY
    @given(st.text(max_size=20), st.text("ab:/?#[]@%;=. ", max_size=12))
    def test_anyText(self, text: str, aor: str) -> None:
        """
        So is any text in any place.
        """
        time = Time("x", datetime(2026, 1, 5, tzinfo=UTC))
        self.valid(
            serialize(
                MetadataDocument(
                    groups=(Group(text, time),),
                    sessions=(Session(text, (text,), (Reason(text, 1, text),), text, time, time),),
                    participants=(Participant(text, (NameID(aor, text, text),)),),
                    streams=(Stream(text, text, text),),
                )
            )
        )
