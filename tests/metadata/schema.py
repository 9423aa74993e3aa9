"""
What RFC 7865 section 5 and its XML schema allow, written again as RELAX NG, so that it
is at hand wherever the tests run.
"""

from lxml import etree

__all__ = ["GRAMMAR"]

_BOTH = """
 <optional><element name="associate-time"><ref name="time"/></element></optional>
 <optional><element name="disassociate-time"><ref name="time"/></element></optional>"""
_TIMES = f'{_BOTH}<ref name="others"/>'


def _attribute(name: str) -> str:
    return f'<attribute name="{name}"><data type="base64Binary"/></attribute>'


def _elements(name: str, content: str) -> str:
    return f'<zeroOrMore><element name="{name}">{content}</element></zeroOrMore>'


def _optional(name: str, content: str) -> str:
    return f'<optional><element name="{name}">{content}</element></optional>'


_REFERENCE = '<data type="base64Binary"/>'
_LANGUAGE = '<optional><attribute name="xml:lang"><data type="language"/></attribute></optional>'
_REASON = (
    '<attribute name="cause"><data type="short"/></attribute>'
    '<optional><attribute name="protocol"/></optional><text/>'
)
_SESSION = (
    _attribute("session_id")
    + _elements("sipSessionID", "<text/>")
    + _elements("reason", _REASON)
    + _optional("group-ref", _REFERENCE)
    + _optional("start-time", '<ref name="time"/>')
    + _optional("stop-time", '<ref name="time"/>')
    + '<ref name="others"/>'
)
_PARTICIPANT = (
    _attribute("participant_id")
    + '<oneOrMore><element name="nameID"><attribute name="aor"><data type="anyURI"/></attribute>'
    + _optional("name", f"{_LANGUAGE}<text/>")
    + '</element></oneOrMore><ref name="others"/>'
)
_STREAM = (
    _attribute("stream_id")
    + f"<optional>{_attribute('session_id')}</optional>"
    + _optional("label", "<text/>")
    + '<ref name="others"/>'
)
_PARAM = '<attribute name="pname"/><attribute name="pval"/><text/>'
_RECORDING = (
    _optional("datamode", "<choice><value>complete</value><value>partial</value></choice>")
    + _elements("group", _attribute("group_id") + _TIMES)
    + _elements("session", _SESSION)
    + _elements("participant", _PARTICIPANT)
    + _elements("stream", _STREAM)
    + _elements("sessionrecordingassoc", _attribute("session_id") + _TIMES)
    + _elements(
        "participantsessionassoc",
        _attribute("participant_id")
        + _attribute("session_id")
        + _TIMES.replace(
            '<ref name="others"/>', _elements("param", _PARAM) + '<ref name="others"/>'
        ),
    )
    + _elements(
        "participantstreamassoc",
        _attribute("participant_id")
        + _elements("send", _REFERENCE)
        + _elements("recv", _REFERENCE)
        + _TIMES,
    )
    + '<ref name="others"/>'
)
_REQUEST = _optional("requestreason", f"{_LANGUAGE}<text/>") + '<ref name="others"/>'

#: Validates C{recording} and C{requestsnapshot} elements.
GRAMMAR = etree.RelaxNG(
    etree.fromstring(f"""
<grammar xmlns="http://relaxng.org/ns/structure/1.0" ns="urn:ietf:params:xml:ns:recording:1"
  datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">
 <start><choice>
  <element name="recording">{_RECORDING}</element>
  <element name="requestsnapshot">{_REQUEST}</element>
 </choice></start>
 <define name="time"><data type="dateTime"/></define>
 <define name="others"><zeroOrMore><element>
  <anyName><except><nsName/><nsName ns=""/></except></anyName><ref name="anything"/>
 </element></zeroOrMore></define>
 <define name="anything"><zeroOrMore><choice><text/><attribute><anyName/></attribute>
  <element><anyName/><ref name="anything"/></element></choice></zeroOrMore></define>
</grammar>""")
)
