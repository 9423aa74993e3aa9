"""
The many ways of writing the same thing: names, times and addresses as the
drafts of RFC 7865 and the products of the field have them.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from siprec.metadata.model import NameID, Time

__all__ = ["isKnownNamespace", "makeNameID", "parseTime", "plainName"]

#: Names of the drafts for what RFC 7865 names otherwise.
_ALIASES = {
    "recordingmetadata": "recording",
    "participantsession": "participantsessionassoc",
    "participantstream": "participantstreamassoc",
    "sessionrecording": "sessionrecordingassoc",
    "sessionref": "session",
    "groupref": "group",
    "associatetime": "associate",
    "disassociatetime": "disassociate",
    "starttime": "start",
    "stoptime": "stop",
    "endtime": "stop",
}
_NAMESPACES = re.compile(r"urn:ietf:params:xml:ns:(recording(:\d+)?|siprec)")
# Blanks belong to one part only: else a long run of them costs its square.
_ADDRESS = re.compile(r'(?:"([^"]*)"\s*+|([^<"]*+))<([^<>]*)>')
_LANGUAGE = re.compile(r";\s*lang=([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*$")
_LEAP_SECOND = re.compile(r"(?<=:\d\d):60")


def plainName(name: str) -> str:
    """
    @return: a local name as the parser compares it: without regard to case,
        hyphens and underscores, so that C{dataMode}, C{datamode} and
        C{session-id}, C{session_id} are the same, and by RFC 7865's name where
        a draft has another; times lose C{-time}, C{group-ref} its C{-ref}.
    """
    plain = name.lower().replace("-", "").replace("_", "")
    return _ALIASES.get(plain, plain)


def isKnownNamespace(namespace: str) -> bool:
    """
    Is it one that SIPREC metadata itself is written in: RFC 7865's, a draft's,
    or none at all?
    """
    plain = namespace.strip().lower().rstrip("/")
    return not plain or _NAMESPACES.fullmatch(plain) is not None


@lru_cache(1024)
def parseTime(raw: str, zone: tzinfo = UTC) -> Time:
    """
    Read a time in any form of ISO 8601, of which RFC 3339 is one: the field
    also has zones without a colon, and none at all.

    @param zone: of a time that names none.
    """
    raw = raw.strip()
    text, count = _LEAP_SECOND.subn(":59", raw.upper(), count=1)
    try:
        value = datetime.fromisoformat(text)
        naive = value.tzinfo is None
        if naive:
            value = value.replace(tzinfo=zone)
        return Time(raw, value.astimezone(UTC) + timedelta(seconds=count), naive)
    except (ValueError, OverflowError):
        return Time(raw, None)


def makeNameID(aor: str, name: str | None = None, language: str | None = None) -> NameID:
    """
    @param aor: an address of record; also a whole C{"Name" <uri>}, or a number
        without a scheme, which stays as it is.
    @param name: display name; a blank one counts as none, and the language may
        hang on it as a parameter.
    """
    aor, name = aor.strip(), (name or "").strip()
    if "<" in aor and (found := _ADDRESS.match(aor)):
        quoted, plain, aor = found.groups()
        name, aor = name or (quoted or plain or "").strip(), aor.strip()
    if "lang=" in name and (found := _LANGUAGE.search(name)):
        name, language = name[: found.start()].strip(), language or found[1]
    return NameID(aor, name or None, (language or "").strip() or None)
