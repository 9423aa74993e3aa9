"""
Metadata documents for the tests of L{siprec.metadata}: one for each dialect that
is known to be sent, written for these tests.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import settings
from twisted.trial.unittest import SkipTest

from siprec.metadata.merge import merge
from siprec.metadata.model import MetadataDocument
from siprec.metadata.parse import parseMetadata
from siprec.metadata.state import RecordingMetadata

#: For property tests: never flaky on a busy machine, and nothing left on disk.
PROPERTY = settings(database=None, deadline=None, max_examples=60)


def minute(number: int) -> datetime:
    """
    @return: when the document of this number, from 0, arrives.
    """
    return datetime(2026, 1, 5, 9, tzinfo=UTC) + timedelta(minutes=number)


def original(folder: str, name: str) -> bytes:
    """
    @return: a file of the public test material.

    @raise SkipTest: it is not at hand.
    """
    default = Path(__file__).resolve().parents[3] / "shared" / "testdata"
    root = Path(os.environ.get("SIPREC_TESTDATA") or default)
    path = root / folder / name
    if not path.is_file():
        raise SkipTest(f"no public test data in {root} (set SIPREC_TESTDATA)")
    return path.read_bytes()


def recording(content: str, mode: str = "complete") -> MetadataDocument:
    """
    @return: a document of RFC 7865 with this content.
    """
    return parseMetadata(
        f'<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>{mode}</datamode>'
        f"{content}</recording>".encode()
    )


def partial(content: str) -> MetadataDocument:
    """
    @return: a partial document of RFC 7865 with this content.
    """
    return recording(content, "partial")


def folded(*documents: MetadataDocument) -> RecordingMetadata:
    """
    @return: the state after these documents, a minute apart.
    """
    state = RecordingMetadata()
    for number, document in enumerate(documents):
        state = merge(state, document, minute(number))
    return state


#: Two parties with a stream each; CONFORMANCE B.5 shows the like.
TWO_PARTIES = """
 <group group_id="R0=="/>
 <session session_id="S1=="><group-ref>R0==</group-ref>
  <start-time>2026-01-05T08:59:58Z</start-time></session>
 <participant participant_id="PA=="><nameID aor="sip:ann@a.example">
  <name xml:lang="en">Ann</name></nameID></participant>
 <participant participant_id="PB=="><nameID aor="tel:+4930123"/></participant>
 <stream stream_id="TA==" session_id="S1=="><label>1</label></stream>
 <stream stream_id="TB==" session_id="S1=="><label>2</label></stream>
 <sessionrecordingassoc session_id="S1==">
  <associate-time>2026-01-05T08:59:58Z</associate-time></sessionrecordingassoc>
 <participantsessionassoc participant_id="PA==" session_id="S1==">
  <associate-time>2026-01-05T08:59:58Z</associate-time></participantsessionassoc>
 <participantsessionassoc participant_id="PB==" session_id="S1==">
  <associate-time>2026-01-05T08:59:58Z</associate-time></participantsessionassoc>
 <participantstreamassoc participant_id="PA=="><send>TA==</send><recv>TB==</recv>
 </participantstreamassoc>
 <participantstreamassoc participant_id="PB=="><send>TB==</send><recv>TA==</recv>
 </participantstreamassoc>"""

CISCO = b"""<?xml version="1.0" encoding="UTF-8"?>
<recording xmlns="urn:ietf:params:xml:ns:recording:1">
<datamode>complete</datamode>
<session session_id="b3JkZXJseS1zZXNzaW9uMQ==">
<sipSessionID>11111111aaaa5bbb8ccc000000000001;remote=22222222aaaa5bbb8ccc000000000002
</sipSessionID>
<start-time>2025-06-02T07:30:11.250Z</start-time>
</session>
<participant participant_id="Y3ViZS1jYWxsaW5nLXAxMQ==">
<nameID aor="sip:4101@192.0.2.40">
</nameID>
</participant>
<participantsessionassoc participant_id="Y3ViZS1jYWxsaW5nLXAxMQ==" \
session_id="b3JkZXJseS1zZXNzaW9uMQ==">
<associate-time>2025-06-02T07:30:11.250Z</associate-time>
</participantsessionassoc>
<stream stream_id="Y3ViZS1zdHJlYW0tMDAwMQ==" session_id="b3JkZXJseS1zZXNzaW9uMQ==">
<label>1</label>
</stream>
<participant participant_id="Y3ViZS1jYWxsZWQtcDAyMg==">
<nameID aor="sip:4102@192.0.2.40">
<name xml:lang="en">Desk 4102</name>
</nameID>
</participant>
<participantsessionassoc participant_id="Y3ViZS1jYWxsZWQtcDAyMg==" \
session_id="b3JkZXJseS1zZXNzaW9uMQ==">
<associate-time>2025-06-02T07:30:11.250Z</associate-time>
</participantsessionassoc>
<stream stream_id="Y3ViZS1zdHJlYW0tMDAwMg==" session_id="b3JkZXJseS1zZXNzaW9uMQ==">
<label>2</label>
</stream>
<participantstreamassoc participant_id="Y3ViZS1jYWxsaW5nLXAxMQ==">
<send>Y3ViZS1zdHJlYW0tMDAwMQ==</send>
<recv>Y3ViZS1zdHJlYW0tMDAwMg==</recv>
</participantstreamassoc>
<participantstreamassoc participant_id="Y3ViZS1jYWxsZWQtcDAyMg==">
<send>Y3ViZS1zdHJlYW0tMDAwMg==</send>
<recv>Y3ViZS1zdHJlYW0tMDAwMQ==</recv>
</participantstreamassoc>
</recording>
"""

ORACLE = b"""<?xml version='1.0' encoding='UTF-8'?>
<recording xmlns='urn:ietf:params:xml:ns:recording'>
  <dataMode>complete</dataMode>
  <session id="c2Vzc2lvbi1vZi1zYmMwMQ==">
    <associate-time>2025-03-04T10:20:30</associate-time>
    <extensiondata xmlns:apkt="http:/acmepacket.com/siprec/extensiondata">
      <apkt:ucid>00FA080001002A5F0A1B2C;encoding=hex</apkt:ucid>
      <apkt:callerOrig>true</apkt:callerOrig>
      <apkt:request-uri>sip:8000@sbc.example</apkt:request-uri>
      <apkt:header label="Diversion"><value>&lt;sip:7@a.example&gt;</value></apkt:header>
    </extensiondata>
  </session>
  <participant id="cGFydHktb25lLW9mLXNiYw==" session="c2Vzc2lvbi1vZi1zYmMwMQ==">
    <nameID aor="sip:5550100@192.0.2.60"><name>5550100</name></nameID>
    <send>c3RyZWFtLW9uZS1vZi1zYg==</send>
    <associate-time>2025-03-04T10:20:30</associate-time>
    <extensiondata xmlns:apkt="http://acmepacket.com/siprec/extensiondata">
      <apkt:callingParty>true</apkt:callingParty>
    </extensiondata>
  </participant>
  <participant id="cGFydHktdHdvLW9mLXNiYw==" session="c2Vzc2lvbi1vZi1zYmMwMQ==">
    <nameID aor="sip:5550199@192.0.2.61"><name>5550199</name></nameID>
    <send>c3RyZWFtLXR3by1vZi1zYg==</send>
    <associate-time>2025-03-04T10:20:31</associate-time>
    <extensiondata xmlns:apkt="http://acmepacket.com/siprec/extensiondata">
      <apkt:callingParty>false</apkt:callingParty>
    </extensiondata>
  </participant>
  <stream id="c3RyZWFtLW9uZS1vZi1zYg==" session="c2Vzc2lvbi1vZi1zYmMwMQ==">
    <label>218103809</label><mode>separate</mode>
    <associate-time>2025-03-04T10:20:30</associate-time>
  </stream>
  <stream id="c3RyZWFtLXR3by1vZi1zYg==" session="c2Vzc2lvbi1vZi1zYmMwMQ==">
    <label>218103810</label><mode>separate</mode>
    <associate-time>2025-03-04T10:20:31</associate-time>
  </stream>
</recording>
"""

#: Early script samples leave quotes out.
ORACLE_UNQUOTED = ORACLE.replace(b'label="Diversion"', b"label=Diversion").replace(
    b'xmlns:apkt="http:/acmepacket.com/siprec/extensiondata"',
    b"xmlns:apkt=http:/acmepacket.com/siprec/extensiondata",
)

RIBBON = b"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<tns:recording xmlns:tns="urn:ietf:params:xml:ns:recording">
 <tns:datamode>Complete</tns:datamode>
 <tns:group group_id="Z3JvdXAtZnJvbS1zYmMwMQ==">
  <tns:associate-time>1970-01-01T00:13:20Z</tns:associate-time>
  <ns1:callData xmlns:ns1="urn:ietf:params:xml:ns:callData">
   <ns1:fromhdr>&lt;sip:+498912@sbc.example&gt;;tag=gK0c</ns1:fromhdr>
   <ns1:tohdr>&lt;sip:+498913@sbc.example&gt;</ns1:tohdr>
   <ns1:callid>1234_98765@192.0.2.80</ns1:callid>
   <ns1:gcid>4660</ns1:gcid>
  </ns1:callData>
 </tns:group>
 <tns:session session_id="c2Vzc2lvbi1zb251cy0wMQ==">
  <tns:group-ref>Z3JvdXAtZnJvbS1zYmMwMQ==</tns:group-ref>
  <tns:start-time>1970-01-01T00:13:20Z</tns:start-time>
 </tns:session>
 <tns:participant participant_id="cGFydHktc29udXMtMDAwMQ==" session_id="c2Vzc2lvbi1zb251cy0wMQ==">
  <tns:nameID aor="sip:+498912@sbc.example"/>
  <tns:associate-time>1970-01-01T00:13:20Z</tns:associate-time>
 </tns:participant>
 <tns:participant participant_id="cGFydHktc29udXMtMDAwMg==" session_id="c2Vzc2lvbi1zb251cy0wMQ==">
  <tns:nameID aor="sip:+498913@sbc.example"/>
  <tns:associate-time>1970-01-01T00:13:20Z</tns:associate-time>
 </tns:participant>
 <tns:stream stream_id="c3RyZWFtLXNvbnVzLTAwMQ==" session_id="c2Vzc2lvbi1zb251cy0wMQ==">
  <tns:label>1</tns:label></tns:stream>
 <tns:stream stream_id="c3RyZWFtLXNvbnVzLTAwMg==" session_id="c2Vzc2lvbi1zb251cy0wMQ==">
  <tns:label>2</tns:label></tns:stream>
 <tns:participantstreamassoc participant_id="cGFydHktc29udXMtMDAwMQ==">
  <tns:send>c3RyZWFtLXNvbnVzLTAwMQ==</tns:send></tns:participantstreamassoc>
 <tns:participantstreamassoc participant_id="cGFydHktc29udXMtMDAwMg==">
  <tns:send>c3RyZWFtLXNvbnVzLTAwMg==</tns:send></tns:participantstreamassoc>
</tns:recording>
"""

#: It comes in the BYE.
RIBBON_BYE = b"""<?xml version="1.0" encoding="UTF-8"?>
<recording xmlns="urn:ietf:params:xml:ns:recording">
 <datamode>Partial</datamode>
 <session session_id="c2Vzc2lvbi1zb251cy0wMQ==">
  <stop-time>1970-01-01T00:20:00Z</stop-time></session>
 <participant participant_id="cGFydHktc29udXMtMDAwMQ==" session_id="c2Vzc2lvbi1zb251cy0wMQ==">
  <disassociate-time>1970-01-01T00:20:00Z</disassociate-time></participant>
 <participant participant_id="cGFydHktc29udXMtMDAwMg==" session_id="c2Vzc2lvbi1zb251cy0wMQ==">
  <disassociate-time>1970-01-01T00:20:00Z</disassociate-time></participant>
</recording>
"""

#: The first INVITE: a placeholder party, and a stream that no m-line has.
AVAYA = b"""<?xml version="1.0" encoding="UTF-8"?>
<recording xmlns="urn:ietf:params:xml:ns:recording:1">
 <dataMode>complete</dataMode>
 <session session_id="00010004210123456789"><start-time>2025-07-08T09:10:11</start-time></session>
 <participant participant_id="6162636465660001"><nameID aor="sip:ASBCE@asbce.com"/></participant>
 <participantsessionassoc participant_id="6162636465660001" session_id="00010004210123456789">
  <associate-time>2025-07-08T09:10:11</associate-time></participantsessionassoc>
 <stream stream_id="" session_id="00010004210123456789"><label></label></stream>
</recording>
"""

#: The UPDATE: metadata only, for the labels of the earlier SDP.
AVAYA_UPDATE = b"""<?xml version="1.0" encoding="UTF-8"?>
<recording xmlns="urn:ietf:params:xml:ns:recording:1">
 <dataMode>complete</dataMode>
 <session session_id="00010004210123456789"><start-time>2025-07-08T09:10:11</start-time></session>
 <participant participant_id="6162636465660002"><nameID aor="sip:2001@avaya.example">
  <name>Agent One</name></nameID></participant>
 <participant participant_id="6162636465660003"><nameID aor="sip:+15550111@avaya.example"/>
 </participant>
 <stream stream_id="7374726561000001" session_id="00010004210123456789"><label>11</label></stream>
 <stream stream_id="7374726561000002" session_id="00010004210123456789"><label>12</label></stream>
 <participantsessionassoc participant_id="6162636465660002" session_id="00010004210123456789"/>
 <participantsessionassoc participant_id="6162636465660003" session_id="00010004210123456789"/>
 <participantstreamassoc participant_id="6162636465660002"><send>7374726561000001</send>
  <recv>7374726561000002</recv></participantstreamassoc>
 <participantstreamassoc participant_id="6162636465660003"><send>7374726561000002</send>
  <recv>7374726561000001</recv></participantstreamassoc>
</recording>
"""

_BROADWORKS = """<?xml version="1.0" encoding="UTF-8"?>
<recording_metadata xmlns="urn:ietf:params:xml:ns:siprec"><dataMode>complete</dataMode>
<recording id="urn:uuid:0a000000-0000-4000-8000-000000000001"><requestor>SRC</requestor>
<type>selective</type></recording>
<group id="urn:uuid:0a000000-0000-4000-8000-000000000002" \
recording="urn:uuid:0a000000-0000-4000-8000-000000000001">
<initiator>sip:2025550101@bw.example</initiator></group>
<session id="urn:uuid:0a000000-0000-4000-8000-000000000003" \
group="urn:uuid:0a000000-0000-4000-8000-000000000002">
<start-time>2025-09-10T11:12:13+01:00</start-time></session>
<participant id="urn:uuid:0a000000-0000-4000-8000-000000000004" \
session="urn:uuid:0a000000-0000-4000-8000-000000000003">
<aor>sip:2025550101@bw.example;user=phone</aor>
<send><id>urn:uuid:0a000000-0000-4000-8000-000000000006</id></send></participant>
<participant id="urn:uuid:0a000000-0000-4000-8000-000000000005" \
session="urn:uuid:0a000000-0000-4000-8000-000000000003">
<aor>2025550102</aor><send><id>{second}</id></send></participant>
{streams}
<extensiondata id="urn:uuid:0a000000-0000-4000-8000-000000000008" \
parent="urn:uuid:0a000000-0000-4000-8000-000000000003">
<broadWorksRecordingMetadata xmlns="http://schema.broadsoft.com/broadworksCallRecording" \
version="3.0"><extTrackingID>4711:1</extTrackingID><userID>user1@bw.example</userID>
<callID>callhalf-99:0</callID><callType><origCall>
<callingPartyNumber>sip:2025550101@bw.example</callingPartyNumber></origCall></callType>
</broadWorksRecordingMetadata></extensiondata></recording_metadata>
"""
_BROADWORKS_STREAM = """<stream id="urn:uuid:0a000000-0000-4000-8000-00000000000{0}" \
session="urn:uuid:0a000000-0000-4000-8000-000000000003"><label>{1}</label><mode>{2}</mode></stream>"""

BROADWORKS = _BROADWORKS.format(
    second="urn:uuid:0a000000-0000-4000-8000-000000000007",
    streams=_BROADWORKS_STREAM.format(6, 1, "separate")
    + _BROADWORKS_STREAM.format(7, 2, "separate"),
).encode()

#: Both parties on one stream.
WEBEX = _BROADWORKS.format(
    second="urn:uuid:0a000000-0000-4000-8000-000000000006",
    streams=_BROADWORKS_STREAM.format(6, 1, "mixed"),
).encode()

METASWITCH = b"""<?xml version="1.0" encoding="UTF-8"?>
<recording xmlns="urn:ietf:params:xml:ns:recording" id="5b000000-aaaa-11f0-9000-0a1b2c3d4e5f">
 <dataMode>complete</dataMode>
 <session session_id="5b000001-aaaa-11f0-9000-0a1b2c3d4e5f">
  <start-time>2025-02-03T04:05:06Z</start-time></session>
 <participant participant_id="5b000002-aaaa-11f0-9000-0a1b2c3d4e5f" \
session="5b000001-aaaa-11f0-9000-0a1b2c3d4e5f">
  <nameID aor="sip:2125550001@ms.example"><name> </name></nameID>
  <send>5b000004-aaaa-11f0-9000-0a1b2c3d4e5f</send></participant>
 <participant participant_id="5b000003-aaaa-11f0-9000-0a1b2c3d4e5f" \
session="5b000001-aaaa-11f0-9000-0a1b2c3d4e5f">
  <nameID aor="2125550002"/>
  <send>5b000004-aaaa-11f0-9000-0a1b2c3d4e5f</send></participant>
 <stream id="5b000004-aaaa-11f0-9000-0a1b2c3d4e5f" session="5b000001-aaaa-11f0-9000-0a1b2c3d4e5f">
  <label>1</label><mode>mixed</mode></stream>
 <extensiondata><metaswitchRecordingMetadata xmlns="" version="1">
  <billingNumber>2125550001</billingNumber></metaswitchRecordingMetadata></extensiondata>
</recording>
"""

#: Bare line ends, and an empty line in front.
AUDIOCODES = b"""
<?xml version="1.0" encoding="utf-8"?>
<recording xmlns="urn:ietf:params:xml:ns:recording" xmlns:ac="http://AudioCodes">
 <datamode>complete</datamode>
 <session id="00000000-0000-0aaa-0000-000000000001">
  <associate-time>2025-05-06T07:08:09</associate-time>
  <ac:AvayaUCID>00010004210123456789</ac:AvayaUCID>
  <ac:GenesysUUID>0A1B2C3D4E5F60718293A4B5C6D7E8F9</ac:GenesysUUID></session>
 <participant id="00000000-0000-0aaa-0000-000000000002" \
session="00000000-0000-0aaa-0000-000000000001">
  <nameID aor="1000@ac.example"><name xml:lang="en">Front Desk</name></nameID>
  <send>00000000-0000-0aaa-0000-000000000004</send>
  <associate-time>2025-05-06T07:08:09</associate-time></participant>
 <participant id="00000000-0000-0aaa-0000-000000000003" \
session="00000000-0000-0aaa-0000-000000000001">
  <nameID aor="2000@ac.example"/>
  <send>00000000-0000-0aaa-0000-000000000005</send>
  <associate-time>2025-05-06T07:08:09</associate-time></participant>
 <stream id="00000000-0000-0aaa-0000-000000000004" session="00000000-0000-0aaa-0000-000000000001">
  <label>1</label></stream>
 <stream id="00000000-0000-0aaa-0000-000000000005" session="00000000-0000-0aaa-0000-000000000001">
  <label>2</label></stream>
</recording>
"""

OPENSIPS = b"""<?xml version="1.0" encoding="UTF-8"?>\r
<recording xmlns='urn:ietf:params:xml:ns:recording:1'>\r
 <datamode>complete</datamode>\r
 <group group_id="b3BlbnNpcHMtZ3JvdXAwMQ=="><associate-time>2026-11-22T17:48:33+0000\
</associate-time></group>\r
 <session session_id="b3BlbnNpcHMtc2Vzc2lvbg=="><sipSessionID>call-1@os.example</sipSessionID>\r
 <group-ref>b3BlbnNpcHMtZ3JvdXAwMQ==</group-ref></session>\r
 <participant participant_id="b3BlbnNpcHMtcGFydHkwMQ==">\
<nameID aor="sip:test_user@os.example"><name>test_user;lang=en-US</name></nameID></participant>\r
 <participant participant_id="b3BlbnNpcHMtcGFydHkwMg==">\
<nameID aor="sip:other@os.example"/></participant>\r
 <stream stream_id="b3BlbnNpcHMtc3RyZWFtMQ==" session_id="b3BlbnNpcHMtc2Vzc2lvbg==">\
<label>0</label></stream>\r
 <stream stream_id="b3BlbnNpcHMtc3RyZWFtMg==" session_id="b3BlbnNpcHMtc2Vzc2lvbg==">\
<label>1</label></stream>\r
 <sessionrecordingassoc session_id="b3BlbnNpcHMtc2Vzc2lvbg==">\
<associate-time>2026-11-22T17:48:33+0000</associate-time></sessionrecordingassoc>\r
 <participantsessionassoc participant_id="b3BlbnNpcHMtcGFydHkwMQ==" \
session_id="b3BlbnNpcHMtc2Vzc2lvbg=="><associate-time>2026-11-22T17:48:33+0000</associate-time>\
</participantsessionassoc>\r
 <participantsessionassoc participant_id="b3BlbnNpcHMtcGFydHkwMg==" \
session_id="b3BlbnNpcHMtc2Vzc2lvbg=="><associate-time>2026-11-22T17:48:33+0000</associate-time>\
</participantsessionassoc>\r
 <participantstreamassoc participant_id="b3BlbnNpcHMtcGFydHkwMQ==">\
<send>b3BlbnNpcHMtc3RyZWFtMQ==</send><recv>b3BlbnNpcHMtc3RyZWFtMg==</recv>\
</participantstreamassoc>\r
 <participantstreamassoc participant_id="b3BlbnNpcHMtcGFydHkwMg==">\
<send>b3BlbnNpcHMtc3RyZWFtMg==</send><recv>b3BlbnNpcHMtc3RyZWFtMQ==</recv>\
</participantstreamassoc>\r
</recording>\r
"""

#: SEMS, jambonz and NetSapiens: plain UUIDs, extension data at the top.
JAMBONZ = b"""<?xml version="1.0"?>
<recording xmlns="urn:ietf:params:xml:ns:recording:1">
 <datamode>complete</datamode>
 <session session_id="e1d0c000-0000-4000-8000-000000000001"/>
 <participant participant_id="e1d0c000-0000-4000-8000-000000000002">
  <nameID aor="sip:caller@jb.example"/></participant>
 <participant participant_id="e1d0c000-0000-4000-8000-000000000003">
  <nameID aor="sip:callee@jb.example"/></participant>
 <stream stream_id="e1d0c000-0000-4000-8000-000000000004" \
session_id="e1d0c000-0000-4000-8000-000000000001"><label>a_leg</label></stream>
 <stream stream_id="e1d0c000-0000-4000-8000-000000000005" \
session_id="e1d0c000-0000-4000-8000-000000000001"><label>b_leg</label></stream>
 <participantstreamassoc participant_id="e1d0c000-0000-4000-8000-000000000002">
  <send>e1d0c000-0000-4000-8000-000000000004</send></participantstreamassoc>
 <participantstreamassoc participant_id="e1d0c000-0000-4000-8000-000000000003">
  <send>e1d0c000-0000-4000-8000-000000000005</send></participantstreamassoc>
 <extensiondata><accountName>Widgets</accountName><queue name="sales"/></extensiondata>
</recording>
"""

#: CONFORMANCE J2: the caller's URI is not escaped.
BARE_AMPERSAND = OPENSIPS.replace(b"sip:test_user@", b"sip:test&user@")

SEMS = b"""<?xml version="1.0" encoding="UTF-8"?>
<recording xmlns="urn:ietf:params:xml:ns:recording:1">
  <datamode>complete</datamode>
  <session session_id="8d6c9d52-0f0a-4c41-9a55-4f21e1e80001">
    <start-time>2026-02-03T14:15:16Z</start-time>
  </session>
  <participant participant_id="8d6c9d52-0f0a-4c41-9a55-4f21e1e80002">
    <nameID aor="sip:alice@pbx.example"><name xml:lang="en">Alice</name></nameID>
  </participant>
  <participant participant_id="8d6c9d52-0f0a-4c41-9a55-4f21e1e80003">
    <nameID aor="sip:+4930555@carrier.example"/>
  </participant>
  <stream stream_id="8d6c9d52-0f0a-4c41-9a55-4f21e1e80004"
          session_id="8d6c9d52-0f0a-4c41-9a55-4f21e1e80001"><label>a_leg</label></stream>
  <stream stream_id="8d6c9d52-0f0a-4c41-9a55-4f21e1e80005"
          session_id="8d6c9d52-0f0a-4c41-9a55-4f21e1e80001"><label>b_leg</label></stream>
  <sessionrecordingassoc session_id="8d6c9d52-0f0a-4c41-9a55-4f21e1e80001">
    <associate-time>2026-02-03T14:15:16Z</associate-time></sessionrecordingassoc>
  <participantsessionassoc participant_id="8d6c9d52-0f0a-4c41-9a55-4f21e1e80002"
                           session_id="8d6c9d52-0f0a-4c41-9a55-4f21e1e80001"/>
  <participantsessionassoc participant_id="8d6c9d52-0f0a-4c41-9a55-4f21e1e80003"
                           session_id="8d6c9d52-0f0a-4c41-9a55-4f21e1e80001"/>
  <participantstreamassoc participant_id="8d6c9d52-0f0a-4c41-9a55-4f21e1e80002">
    <send>8d6c9d52-0f0a-4c41-9a55-4f21e1e80004</send>
    <recv>8d6c9d52-0f0a-4c41-9a55-4f21e1e80005</recv>
  </participantstreamassoc>
  <participantstreamassoc participant_id="8d6c9d52-0f0a-4c41-9a55-4f21e1e80003">
    <send>8d6c9d52-0f0a-4c41-9a55-4f21e1e80005</send>
    <recv>8d6c9d52-0f0a-4c41-9a55-4f21e1e80004</recv>
  </participantstreamassoc>
  <extensiondata xmlns=""><call_id>7c1e@sbc.example</call_id></extensiondata>
</recording>
"""
