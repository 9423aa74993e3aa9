"""
Where a peer reaches this recorder.
"""

from __future__ import annotations

__all__ = ["contactOf"]


def contactOf(place: tuple[str, int], transport: str, secure: bool = False) -> str:
    """
    @param place: host and port of ours that the peer is to use.
    @param transport: that it comes by.
    @param secure: whether the peer has asked for a SIPS URI, which only one
        that comes over TLS can have.
    @return: the value of our Contact.
    """
    host, port = place
    literal = f"[{host}]" if ":" in host else host
    if secure and transport == "TLS":
        return f"<sips:{literal}:{port}>;+sip.srs"
    parameter = "" if transport == "UDP" else f";transport={transport.lower()}"
    return f"<sip:{literal}:{port}{parameter}>;+sip.srs"
