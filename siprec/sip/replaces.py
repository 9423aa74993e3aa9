"""
The Replaces header (RFC 3891 section 6.1): a dialog that a new one takes the
place of.
"""

from attrs import frozen

from siprec.sip.grammar import paramValue, parseParameterized
from siprec.sip.uri import findParam


@frozen
class Replaces:
    """
    @ivar toTag: of the side that gets the INVITE; empty for a peer of RFC 2543.
    @ivar fromTag: of the other side; empty as well.
    @ivar earlyOnly: whether the dialog must not have been confirmed.
    """

    callID: str
    toTag: str
    fromTag: str
    earlyOnly: bool = False


def parseReplaces(text: str) -> Replaces | None:
    """
    @return: C{None} if the value is none: both tags have to be there.
    """
    callID, params = parseParameterized(text)
    to, by = paramValue(params, "to-tag"), paramValue(params, "from-tag")
    if not callID or to is None or by is None:
        return None
    early = findParam(params, "early-only") is not None
    return Replaces(callID, _tag(to), _tag(by), early)


def _tag(text: str) -> str:
    # A zero stands for no tag at all (RFC 3891 section 3).
    return "" if text == "0" else text
