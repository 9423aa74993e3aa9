"""
Messages for the tests of L{siprec.sip}: our own, and where to find public ones.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from hypothesis import settings

#: For property tests: never flaky on a busy machine, and nothing left on disk.
PROPERTY = settings(database=None, deadline=None, max_examples=60)

_BASE = {
    "Via": "SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK776asdhds;rport",
    "Max-Forwards": "70",
    "From": '"SRC" <sip:src@192.0.2.7>;tag=1928301774',
    "To": "<sip:srs@192.0.2.9>",
    "Call-ID": "a84b4c76e66710@192.0.2.7",
    "CSeq": "314159 INVITE",
    "Contact": "<sip:src@192.0.2.7:5060>;+sip.src",
}

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n"


def message(
    start: str = "INVITE sip:srs@192.0.2.9 SIP/2.0",
    fields: Mapping[str, str | None] | None = None,
    body: bytes = b"",
    more: str = "",
) -> bytes:
    """
    @param fields: headers to change or add; C{None} leaves one out.
    @param more: whole header lines to put at the end, each with its CRLF.
    """
    lines: dict[str, str | None] = dict(_BASE)
    method = start.partition(" ")[0]
    lines["CSeq"] = f"314159 {'INVITE' if method.upper().startswith('SIP') else method}"
    lines["Content-Length"] = str(len(body))
    lines.update(fields or {})
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"{start}\r\n{text}{more}\r\n".encode("utf-8", "surrogateescape") + body


def original(folder: str) -> Path | None:
    """
    @return: a folder of the public test material, or C{None} where it is absent.
    """
    default = Path(__file__).resolve().parents[3] / "shared" / "testdata"
    found = Path(os.environ.get("SIPREC_TESTDATA") or default) / folder
    return found if found.is_dir() else None


#: Why a test is skipped.
NO_ORIGINALS = "public test material is absent; name its folder in SIPREC_TESTDATA"
