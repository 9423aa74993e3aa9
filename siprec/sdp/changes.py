"""
How a line of a description differs from the same line before (RFC 3264 section 8).
"""

from siprec.sdp.model import SessionDescription

__all__ = ["changed"]


def changed(before: SessionDescription, after: SessionDescription, index: int) -> tuple[str, ...]:
    """
    Compare a line that is in use in both; directions, labels and hold by a null address
    are left out.

    @return: which of C{address}, C{codecs} and C{protocol} are others; nothing for a line
        that only one of the two has in use.
    """
    if index >= min(len(before.media), len(after.media)):
        return ()
    old, new = before.media[index], after.media[index]
    if not old.port or not new.port:
        return ()
    places = before.address(index), after.address(index)
    held = before.held(index) or after.held(index)
    differences = {
        "address": not held and (places[0] != places[1] or old.port != new.port),
        "codecs": old.codecs != new.codecs,
        "protocol": old.protocol.upper() != new.protocol.upper(),
    }
    return tuple(name for name, differs in differences.items() if differs)
