"""
What all calls of a node share.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from attrs import define, evolve, field
from twisted.internet.interfaces import IReactorTime

from siprec.metrics import Metrics
from siprec.session.model import SessionData
from siprec.session.recordings import Recordings
from siprec.sip.flow import Flow
from siprec.sip.headers import quote
from siprec.sip.interfaces import IServerTransaction
from siprec.sip.message import Request
from siprec.uas.negotiation import Negotiation
from siprec.uas.outgoing import Outgoing
from siprec.uas.peers import Peers

#: Seconds after which a peer may try again what there is no room for now.
RETRY_AFTER = 10

# Most characters of a warning.
_WARNING = 200


def warning(text: str) -> tuple[str, str]:
    """
    @return: a Warning header for people to read (RFC 3261 section 20.43).
    """
    # Much of it may be the peer's own text: a response must fit a datagram.
    return ("Warning", f"399 siprec {quote(text[:_WARNING])}")


def mediaHosts(address: str | None, bind: str | None) -> Callable[[Flow], tuple[str, str]]:
    """
    @param address: for the SDP; C{None}: the local one that faces the peer.
    @param bind: for the sockets; C{None}: that of the SDP.
    @return: gives, for a flow, the address for the SDP and the one to bind.
    """

    def hosts(flow: Flow) -> tuple[str, str]:
        advertise = address or flow.local[0]
        return advertise, bind or advertise

    return hosts


def checkMedia(address: str | None, bind: str | None) -> None:
    """
    See at the start whether media could be received at all.

    @param address: for the SDP, as configured.
    @param bind: for the sockets, as configured.
    @raise OSError: this host has no such address; it names the key.
    """
    key, host = ("bind", bind) if bind else ("address", address)
    if host is None:
        return
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            trial.bind((host, 0))
    except OSError as error:
        hint = "" if key == "bind" else "; media.bind can name another one"
        raise OSError(
            f"media.{key} = {host!r}: expected an address of this host ({error.strerror}){hint}"
        ) from error


def _drop(transaction: IServerTransaction) -> None:
    """
    There is no other node that could answer.
    """


async def _noPredecessor(keys: Iterable[str], host: str) -> SessionData | None:
    """
    No session ever goes on with the recording of another one.
    """
    return None


def _never() -> bool:
    """
    There is nobody who could take anything.
    """
    return False


def _allow(flow: Flow) -> str:
    """
    Everybody may do as they like.
    """
    return "allow"


def _latch(flow: Flow) -> str:
    """
    Who sends is found out, whoever the peer.
    """
    return "latch"


def _keep(host: str) -> bool:
    """
    Every address that a call had is one of this host.
    """
    return True


@define(eq=False, repr=False)
class Surroundings:
    """
    @ivar now: gives seconds since the Unix epoch.
    @ivar mediaHosts: gives, for a flow, the address to advertise for media and
        the one to bind.
    @ivar describe: gives the manifest's C{sip} for an INVITE.
    @ivar negotiation: gives the offer/answer state of a new dialog.
    @ivar srtp: tells of a peer's flow whether its media is to be encrypted.
    @ivar source: tells of a peer's flow whose packets are recorded.
    @ivar passOn: called with a request whose call has turned out to be another
        node's; nothing has been answered to it.
    @ivar predecessor: gives the record of the recording that a new session goes
        on with, by its correlation keys and the address it comes from.
    @ivar ways: how media is taken over, in the order in which it is tried.
    @ivar keeps: tells of the address that a stream had at another node whether
        it may be bound here.
    @ivar snapshots: when a peer is asked for a complete metadata document: C{never},
        after C{lost} state, or also after C{errors}.
    @ivar peers: what is known of the peers.
    @ivar isCutOff: whether others may have taken the calls of this node, which
        cannot ask anybody: then nothing is asked of a peer either.
    @ivar moves: how often media was C{moved}, or the peer C{refused} that.
    """

    service: Recordings
    outgoing: Outgoing
    clock: IReactorTime
    now: Callable[[], float]
    metrics: Metrics
    mediaHosts: Callable[[Flow], tuple[str, str]]
    describe: Callable[[Request, Flow], dict[str, Any]]
    negotiation: Callable[[], Negotiation]
    passOn: Callable[[IServerTransaction], None] = _drop
    predecessor: Callable[[Iterable[str], str], Awaitable[SessionData | None]] = _noPredecessor
    ways: tuple[str, ...] = ("address", "reinvite")
    keeps: Callable[[str], bool] = _keep
    srtp: Callable[[Flow], str] = _allow
    source: Callable[[Flow], str] = _latch
    snapshots: str = "lost"
    isCutOff: Callable[[], bool] = _never
    peers: Peers = field(factory=Peers)
    moves: Counter[str] = field(factory=Counter)

    def negotiationWith(self, flow: Flow) -> Negotiation:
        """
        @return: the offer/answer state of a new dialog with a peer.
        """
        found = self.negotiation()
        found.policy = evolve(found.policy, srtp=self.srtp(flow), source=self.source(flow))
        return found
