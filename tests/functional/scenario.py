"""
Scenarios for sipp, put together from single messages.
"""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

_HEAD = """\
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}
From: <sip:src@[local_ip]:[local_port]>;tag=[call_number]-[pid]
To: <sip:srs@[remote_ip]:[remote_port]>{tag}
Call-ID: [call_id]
CSeq: {number} {method}
Max-Forwards: 70
"""

_CONTACT = """\
Contact: <sip:src@[local_ip]:[local_port];transport=[transport]>;+sip.src
Require: siprec
"""

_SDP = """\
v=0
o=src 1 {version} IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 6000 RTP/AVP 0
a=rtpmap:0 PCMU/8000
a=label:1
a={direction}
m=audio 6002 RTP/AVP 8
a=rtpmap:8 PCMA/8000
a=label:2
a={direction}
"""


def send(
    method: str,
    number: int,
    *,
    inDialog: bool = True,
    branch: str = "[branch]",
    headers: str = "",
    body: str = "",
    repeats: bool = True,
) -> str:
    """
    @param number: CSeq.
    @param headers: more of them, each with its line break.
    @param repeats: as a client does until it gets an answer.
    @return: that a request is sent.
    """
    tag = "[peer_tag_param]" if inDialog else ""
    head = _HEAD.format(branch=branch, tag=tag, number=number, method=method)
    contact = _CONTACT if method in ("INVITE", "UPDATE") else ""
    kind = "Content-Type: application/sdp\n" if body else ""
    retrans = ' retrans="500"' if repeats and method != "ACK" else ""
    start = f"{method} sip:srs@[remote_ip]:[remote_port] SIP/2.0\n"
    message = f"{start}{head}{contact}{headers}{kind}Content-Length: [len]\n\n{body}"
    return f"<send{retrans}><![CDATA[\n{message}\n]]></send>\n"


def recv(status: int, *, optional: bool = False, check: str = "") -> str:
    """
    @param check: a regular expression that the message has to match.
    @return: that a response is awaited.
    """
    maybe = ' optional="true"' if optional else ""
    return f'<recv response="{status}"{maybe}>{_checked(check)}</recv>\n'


def recvRequest(method: str, check: str = "") -> str:
    """
    @return: that a request of the recorder's is awaited.
    """
    return f'<recv request="{method}">{_checked(check)}</recv>\n'


def answer(headers: str = "", body: str = "") -> str:
    """
    @return: that the request that came last is answered with 200.
    """
    kind = "Content-Type: application/sdp\n" if body else ""
    message = (
        "SIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n"
        f"{_CONTACT.splitlines()[0]}\n{headers}{kind}Content-Length: [len]\n\n{body}"
    )
    return f"<send><![CDATA[\n{message}\n]]></send>\n"


def offer(version: int = 1, direction: str = "sendonly") -> str:
    """
    @return: a description of two streams.
    """
    return _SDP.format(version=version, direction=direction)


def invite(*, headers: str = "", branch: str = "[branch]", repeats: bool = True) -> str:
    """
    @return: that the first INVITE is sent.
    """
    return send(
        "INVITE",
        1,
        inDialog=False,
        headers=headers,
        body=offer(),
        branch=branch,
        repeats=repeats,
    )


def pause(milliseconds: int) -> str:
    """
    @return: that nothing is done for a while.
    """
    return f'<pause milliseconds="{milliseconds}"/>\n'


def scenario(*steps: str) -> str:
    """
    @return: the document.
    """
    return f'<?xml version="1.0"?>\n<scenario name="siprec">\n{"".join(steps)}</scenario>\n'


def _checked(pattern: str) -> str:
    if not pattern:
        return ""
    return (
        f'<action><ereg regexp={quoteattr(pattern)} search_in="msg" check_it="true" '
        'assign_to="found"/><log message="[$found]"/></action>'
    )
