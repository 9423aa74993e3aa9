"""
Tests of L{siprec.session.correlation}.
"""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.merge import merge
from siprec.metadata.parse import parseMetadata
from siprec.metadata.state import RecordingMetadata, SessionState
from siprec.session.brought import Document
from siprec.session.correlation import correlationKeys, keysOf

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
DOCUMENT = b"""<?xml version="1.0" encoding="UTF-8"?>
<recording xmlns="urn:ietf:params:xml:ns:recording:1">
  <datamode>complete</datamode>
  <group group_id="G1"><associate-time>2026-01-05T09:00:00Z</associate-time></group>
  <session session_id="S1">
    <sipSessionID>ab30317f1a784dc48ff824d0d3715d86;
      remote=47755a9de7794ba387653f2099600ef2</sipSessionID>
    <group-ref>G1</group-ref>
  </session>
  <session session_id="S2"><group-ref>G2</group-ref></session>
</recording>
"""
SIP_SESSION = "ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2"


def state(*sessions: SessionState) -> RecordingMetadata:
    """
    @return: metadata with these sessions and nothing else.
    """
    return RecordingMetadata(sessions={each.id: each for each in sessions})


class CorrelationTests(SynchronousTestCase):
    """
    What recordings of one call have in common.
    """

    def test_metadata(self) -> None:
        """
        Communication sessions, groups (those that were only referred to as
        well) and SIP session identifiers of the metadata, each once.
        """
        metadata = merge(RecordingMetadata(), parseMetadata(DOCUMENT), AT)
        self.assertEqual(
            correlationKeys(metadata, {}),
            ("session:S1", "session:S2", "group:G1", "group:G2", f"sipsession:{SIP_SESSION}"),
        )

    def test_whiteSpace(self) -> None:
        """
        A SIP session identifier that was folded is the same one.
        """
        folded = SIP_SESSION.replace(";", " ;\r\n\t")
        metadata = state(SessionState("S", AT, sipSessionIDs=(folded, SIP_SESSION)))
        self.assertEqual(correlationKeys(metadata, {}), ("session:S", f"sipsession:{SIP_SESSION}"))

    def test_vendor(self) -> None:
        """
        Call identifiers of vendors, from a list as found or as stored.
        """
        for ucids in (["0001", "0002", "0001"], ("0001", "0002")):
            keys = correlationKeys(RecordingMetadata(), {"sip_ucid": ucids, "ucid": ["x"]})
            self.assertEqual(keys, ("ucid:0001", "ucid:0002"))
        self.assertEqual(correlationKeys(RecordingMetadata(), {"sip_ucid": "0001"}), ())

    def test_nothing(self) -> None:
        """
        What is empty or null joins nothing: it would be the same in calls that
        have nothing to do with each other.
        """
        null = "0" * 32
        identifiers = ("", " ", null, f"{null};remote={null}", f"{null};Remote={null}")
        metadata = state(SessionState("", AT, sipSessionIDs=identifiers, groupRef=""))
        self.assertEqual(correlationKeys(metadata, {"sip_ucid": [""]}), ())

    def test_halfNull(self) -> None:
        """
        An identifier whose one half is not known yet is kept.
        """
        half = f"ab30317f1a784dc48ff824d0d3715d86;remote={'0' * 32}"
        metadata = state(SessionState("", AT, sipSessionIDs=(half,)))
        self.assertEqual(correlationKeys(metadata, {}), (f"sipsession:{half}",))


class BeginningTests(SynchronousTestCase):
    """
    What a session that is about to begin has in common with others.
    """

    def test_keys(self) -> None:
        """
        Metadata and headers count, as far as policy lets them, and a document that
        cannot be read does no harm.
        """
        given = [Document(each, parseMetadata(each)) for each in (b"nothing", DOCUMENT)]
        headers = [("X-Avaya-UCID", "0001")]
        found = keysOf(headers, given, ())
        self.assertEqual(found[:2], ("session:S1", "session:S2"))
        self.assertIn("ucid:0001", found)
        self.assertNotIn("ucid:0001", keysOf(headers, given, ("X-Avaya-*",)))
        self.assertEqual(keysOf([], given[:1], ()), ())
