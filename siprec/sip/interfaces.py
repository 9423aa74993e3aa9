"""
What the parts of the SIP stack promise each other.
"""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from siprec.sip.errors import BadMessage, SipError
from siprec.sip.flow import Flow
from siprec.sip.headers import Via
from siprec.sip.message import Request, Response


class FlowGone(SipError):
    """
    Nothing can be sent on a flow any more, or no flow to a peer can be had.
    """


class Abandoned(FlowGone):
    """
    Another process goes on with the dialog: nothing may be sent in it, by any way.
    """


class TransactionTimeout(SipError):
    """
    A request had no final response in time (RFC 3261 section 17.1: 32 seconds).
    """


class ISipTransport(Interface):
    """
    Sends SIP messages, as bytes, to peers.
    """

    def send(flow: Flow, data: bytes) -> None:
        """
        Send one whole message from the local address of the flow.

        @raise FlowGone: the connection is closed, the listener is closed, or
            the network refuses the message.
        """

    def connect(transport: str, host: str, port: int, name: str = "") -> Deferred[Flow]:
        """
        Find a flow for requests to a peer.

        @param transport: C{"UDP"}, C{"TCP"} or C{"TLS"}.
        @param host: an IP address, IPv6 with or without brackets, or a name.
        @param name: whose certificate a peer at that address must show (RFC
            5922 section 7.3); empty: that of C{host}.
        @return: fires with a flow: at once for UDP to an IP address; for TCP
            and TLS with that of an open connection to this host and port if
            there is one.  Fails with L{FlowGone}.
        """

    def reply(via: Via, flow: Flow) -> Deferred[Flow]:
        """
        Find the flow for a response (RFC 3261 section 18.2.2, RFC 3581).

        @param via: the topmost Via of the request, with C{received} and
            C{rport} filled in.
        @param flow: what the request came by.
        @return: fires with the flow: at once for UDP, and while the connection
            of the request is open; else with a connection to where the Via
            says.  Fails with L{FlowGone}.
        """

    def advertised(flow: Flow) -> tuple[str, int]:
        """
        @return: the host (IPv6 without brackets) and the port by which the
            peer on this flow can reach us: for Via and Contact.
        """


class IMessageReceiver(Interface):
    """
    Takes what a transport has received.  Must not raise.
    """

    def messageReceived(message: Request | Response, flow: Flow) -> None:
        """
        A whole, valid message came.
        """

    def badMessage(error: BadMessage, flow: Flow) -> None:
        """
        Something came that is no valid message.  If it is to be answered at
        all, it is answered before this returns, as the connection may be
        closed next.
        """


class IServerTransaction(Interface):
    """
    A request that a peer sent, to be answered.
    """

    request: Request = Attribute(
        "The request; its topmost Via has C{received} and C{rport} filled in."
    )
    received: Request = Attribute("The request as it came.")
    flow: Flow = Attribute("What the request came by.")
    toTag: str = Attribute(
        "The tag of our responses: that of the request's To; else the one of the first response"
        " that had any; until then a fresh one, which the user should take."
    )
    answered: bool = Attribute("Whether a final response was given.")

    def respond(response: Response) -> None:
        """
        Answer the request; repeat a 2xx to an INVITE (RFC 3261 section
        13.3.1.4).  An answer that comes after a final one, other than that
        repetition, is dropped and counted.

        @raise ValueError: a 1xx or a 408 to a request other than INVITE (RFC
            4320 section 4); the layer sends 100 by itself.
        """

    def defer(seconds: float, onSlow: Callable[[], None] | None = None) -> None:
        """
        Do not send 100 to this INVITE yet when it has had no answer for 0.2 s: from the
        100 on the peer does not repeat it, which costs it its answer if this process ends.
        Over TCP and TLS this does nothing: no INVITE is repeated there, and the end of the
        connection tells the peer.

        @param seconds: when the 100 is to go out at the latest, from when the INVITE came.
        @param onSlow: called in place of the 100, and again each 0.2 s until it goes out.
        """

    def trying() -> None:
        """
        Send 100, unless that or a final response was sent.
        """

    def repeat() -> None:
        """
        Send the last response again, as if a copy of the request had come; a 2xx to an
        INVITE is not repeated by this.
        """


class ITransactionUser(Interface):
    """
    The user agent on top of the layer.  If a method raises, the failure is
    logged and counted, and a request that has no final response yet is
    answered 500.
    """

    def requestReceived(transaction: IServerTransaction, request: Request, flow: Flow) -> None:
        """
        A new request came, neither ACK nor CANCEL.

        @param request: the same as C{transaction.request}.
        """

    def ackReceived(ack: Request, flow: Flow) -> None:
        """
        An ACK came that acknowledges no rejection, so one to a 2xx.  It comes
        as often as the peer sends it.
        """

    def cancelReceived(transaction: IServerTransaction, cancel: Request) -> None:
        """
        A CANCEL came for an INVITE without a final response.  The CANCEL has
        been answered; the user is to answer the INVITE with 487.
        """

    def transactionEnded(transaction: IServerTransaction) -> None:
        """
        The transaction is forgotten: a copy of its request, were it still to
        come, would be taken for a new one.
        """
