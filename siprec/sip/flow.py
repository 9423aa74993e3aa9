"""
The path a message came by, or is to leave by.
"""

from __future__ import annotations

from typing import Protocol

from attrs import field, frozen

__all__ = ["Flow", "Witness", "unseen"]


@frozen
class Flow:
    """
    One pair of transport addresses (RFC 5626 section 3.2, in a wider sense).

    @ivar transport: C{"UDP"}, C{"TCP"} or C{"TLS"}.
    @ivar local: our address and port.
    @ivar remote: the peer's address and port.
    @ivar connection: which stream connection; 0 for UDP.  Numbers are never
        used twice, so that an answer cannot go to a later connection from the
        same port.
    @ivar relay: the node whose sockets these are, where a message was passed
        on by another node; empty: they are of this process.
    """

    transport: str
    local: tuple[str, int]
    remote: tuple[str, int]
    connection: int = 0
    relay: str = ""
    identities: tuple[str, ...] = field(default=(), eq=False)
    peers: tuple[str, ...] = field(default=(), eq=False)

    @property
    def reliable(self) -> bool:
        """
        Whether the transport repeats what is lost, so that we do not (RFC 3261
        section 17).
        """
        return self.transport != "UDP"

    def samePeer(self, other: Flow) -> bool:
        """
        @return: whether the messages on both may be of one peer.  Where one
            of them came while no peers were configured, nothing tells against
            it.
        """
        if not self.peers or not other.peers:
            return True
        return not set(self.peers).isdisjoint(other.peers)


class Witness(Protocol):
    """
    Is told of each message that comes or goes, good or bad.
    """

    def __call__(self, flow: Flow, sent: bool, *parts: bytes) -> object:
        """
        @param flow: what it came by, or left by.
        @param sent: whether it is one of ours.
        @param parts: its octets, cut anywhere.
        """


def unseen(flow: Flow, sent: bool, *parts: bytes) -> None:
    """
    Nobody looks.
    """
