"""
What the layers above may ask of the media ports and of the capture.
"""

import socket

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from siprec.media.origin import ANYBODY, Expected
from siprec.media.rtcp import Destination
from siprec.media.srtp import Protection

__all__ = ["ICapture", "ICapturedStream", "IPortPair", "IPortPool"]


class IPortPair(Interface):
    """
    Two bound, non-blocking UDP sockets of one media stream (RFC 3550 section 11).
    """

    host: str = Attribute("The local address as it was asked for.")
    rtpPort: int = Attribute("The even port.")
    rtcpPort: int = Attribute("The odd port after it.")
    rtp: socket.socket = Attribute("Bound to the RTP port.")
    rtcp: socket.socket = Attribute("Bound to the RTCP port.")


class IPortPool(Interface):
    """
    Hands out port pairs of a range.  No method blocks.
    """

    free: int = Attribute("Pairs of the range that could be handed out now.")

    def allocate(host: str) -> IPortPair:
        """
        Bind a pair that nobody uses and nobody used of late.

        @param host: a local address, IPv4 or IPv6 without brackets.
        @raise NoFreePorts: the range is exhausted.
        @raise OSError: this host cannot bind that address at all.
        """

    def claim(host: str, rtpPort: int, shared: bool = False) -> IPortPair:
        """
        Bind given ports, in the range or not, cooling down or not: those of a
        call that is taken over.

        @param rtpPort: even, 2 to 65534.
        @param shared: whether another process of this host and user still has
            them and has called L{share}.  From here on either may get a packet.
        @raise ValueError: it is not.
        @raise OSError: one of them is in use, or the address is not of this host.
        """

    def share(pair: IPortPair) -> None:
        """
        Allow another process of this host and user to L{claim} the same ports,
        which is to have them.  The order then is: the other one claims them, this
        one calls L{divert}, takes what came until then, and releases the pair; no
        packet is lost on the way, and nobody is told that a port is closed.

        @raise OSError: this kernel cannot do that; nothing has changed.
        """

    def divert(pair: IPortPair) -> None:
        """
        Have the kernel give all further packets to the process that has claimed
        the ports of C{pair}.  What this one has not read yet stays to be read;
        nothing must be sent from it any more.

        @raise OSError: that cannot be done; C{pair} gets packets as before.
        """

    def unshare(pair: IPortPair) -> None:
        """
        Undo L{share}, and L{divert} too: the ports stay here.

        @raise OSError: the pair is released.
        """

    def release(pair: IPortPair, used: bool = True) -> None:
        """
        Close both sockets; the ports cool down and become free.  Releasing twice
        does nothing more.

        @param used: whether a peer was told of the ports; else they are free at
            once.
        """


class ICapturedStream(Interface):
    """
    One stream being captured.  The numbers grow while it is; they belong to the
    capture and are only to be read.
    """

    path: str = Attribute("The journal; there is no file before the first packet.")
    pair: IPortPair = Attribute("Where the packets come in.")
    packets: int = Attribute("Packets from the RTP port.")
    octets: int = Attribute("Octets of those, RTP headers included.")
    controlPackets: int = Attribute("Packets from the RTCP port.")
    firstArrival: float | None = Attribute("Seconds since the epoch (UTC), of either port.")
    lastArrival: float | None = Attribute("Likewise.")
    lastHeard: float | None = Attribute("Likewise, with what was discarded.")
    discarded: int = Attribute("Packets that came while it was muted; they are not kept.")
    truncated: int = Attribute("Packets that were too long to be kept whole.")
    unwritten: int = Attribute("Packets that came but are not in the journal.")
    kernelDrops: int = Attribute("Packets the kernel had no room for, as far as it told.")
    unauthenticated: int = Attribute("SRTP packets that no key opens; they are not kept.")
    strangers: int = Attribute("Packets of who does not send this stream; they are not kept.")
    replayed: int = Attribute("SRTP packets that had come before; they are not kept.")
    error: str | None = Attribute("What went wrong first, if anything did.")


class ICapture(Interface):
    """
    Writes what arrives at port pairs to journals.  To be called in the reactor
    thread; no method blocks.
    """

    def attach(
        pair: IPortPair,
        path: str,
        protection: Protection | None = None,
        muted: bool = False,
        expected: Expected = ANYBODY,
    ) -> ICapturedStream:
        """
        Begin to capture.  A journal that is already at C{path} is continued.

        @param path: the directory must exist when the first packet comes.
        @param protection: what opens the packets before they are kept; C{None}: they
            come in the clear.
        @param muted: see L{mute}.
        @param expected: see L{expect}.
        @raise CaptureStopped: the capture is not running.
        """

    def expect(stream: ICapturedStream, expected: Expected) -> None:
        """
        Say who sends a stream: packets of others are counted and not kept.  What was
        learnt before may be learnt anew.
        """

    def protect(stream: ICapturedStream, protection: Protection | None) -> None:
        """
        Have the packets of a stream opened from now on, or not any more.  What came
        before may already be treated so.
        """

    def mute(stream: ICapturedStream, muted: bool) -> Deferred[None]:
        """
        Keep nothing of what comes at the sockets of a stream, nor of what waits there
        already; they are emptied all the same.  Or keep it again, but for what had come
        by then, and what was sent before and comes late.

        @return: fires in the reactor thread once that holds.  It does not fail; a
            stream that is gone already fires at once.
        """

    def withhold(nothing: bool) -> None:
        """
        Write nothing of what comes on any stream from now on, but count it as
        unwritten; or write again.
        """

    def report(stream: ICapturedStream, to: Destination | None) -> None:
        """
        Tell the sender of a stream from now on how well its packets come in, until the
        stream is detached.

        @param to: C{None}: nothing more is said.
        """

    def leave(stream: ICapturedStream) -> None:
        """
        Say goodbye to the sender of a stream, if anything has been said to it before, and
        nothing more.
        """

    def detach(stream: ICapturedStream, linger: float = 0.3) -> Deferred[ICapturedStream]:
        """
        End it after C{linger} seconds more.  The sockets stay open; only when the
        Deferred fires may they be closed.

        @return: fires with C{stream} in the reactor thread when all that had come is
            in the file, and the file is synced and closed.  It does not fail: see
            L{ICapturedStream.error}.  A stream that is gone already fires at once.
        """

    def detachWhenQuiet(
        stream: ICapturedStream, quiet: float = 0.5, limit: float = 10.0
    ) -> Deferred[ICapturedStream]:
        """
        End it when nothing has come at its sockets for C{quiet} seconds: what
        comes goes elsewhere now, and who sends has noticed.

        @param quiet: above 0.  It may take up to as long again to be noticed.
        @param limit: seconds after which it ends in any case.
        @return: as of L{detach}.
        """
