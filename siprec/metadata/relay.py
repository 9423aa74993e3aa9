"""
Digits that a client tells by INFO: C{application/dtmf-relay} and C{application/dtmf}.
No RFC describes them; the many ways of writing the same are those of the field.
"""

import re
from collections.abc import Mapping

from attrs import frozen

__all__ = ["Pressed", "readRelay"]

_LINE = re.compile(r"\s*(signal|duration)\s*[=:]\s*(\S{1,10})", re.IGNORECASE)
# By their numbers of RFC 4733 section 3.2, as some write them.
_NUMBERED: Mapping[str, str] = {
    **dict(zip(map(str, range(10, 16)), "*#ABCD", strict=True)),
    **dict.fromkeys(("16", "hf", "flash", "!"), "flash"),
}
_DIGITS = frozenset("0123456789*#ABCD")
#: Longest duration that is believed, in milliseconds: an hour.
_LONGEST = 3_600_000


@frozen
class Pressed:
    """
    @ivar digit: one of C{0123456789*#ABCD}, or C{flash}.
    @ivar milliseconds: for how long, or C{None} if that is not told.
    """

    digit: str
    milliseconds: int | None = None


def readRelay(contentType: str, body: bytes) -> Pressed | None:
    """
    @param contentType: of an INFO.
    @return: C{None} if that is something else, or no digit can be made out.
    """
    mediaType = contentType.partition(";")[0].strip().lower()
    if mediaType not in ("application/dtmf-relay", "application/dtmf"):
        return None
    text = body[:200].decode("latin-1")
    told: dict[str, str] = {}
    for line in text.splitlines():
        if (found := _LINE.match(line)) is not None:
            told.setdefault(found[1].lower(), found[2])
    signal = told.get("signal") or text.strip()
    digit = _NUMBERED.get(signal.lower(), signal.upper())
    if digit not in _DIGITS and digit != "flash":
        return None
    duration = told.get("duration", "")
    known = re.fullmatch("[0-9]{1,7}", duration) is not None and int(duration) <= _LONGEST
    return Pressed(digit, int(duration) if known else None)
