"""
Requests that the recorder sends within a dialog, and the way they take.
"""

from __future__ import annotations

from attrs import define
from twisted.logger import Logger

from siprec.sdp.model import SessionDescription
from siprec.sip.dialog import Dialog
from siprec.sip.errors import BadURI, SipError
from siprec.sip.flow import Flow
from siprec.sip.headers import quote
from siprec.sip.interfaces import FlowGone, ISipTransport
from siprec.sip.layer import SipLayer
from siprec.sip.matching import defaultPort, isAddress
from siprec.sip.message import Request, Response
from siprec.sip.sessiontimer import Agreed
from siprec.sip.uri import SipURI, parseURI

log = Logger()


@define(eq=False, repr=False)
class Outgoing:
    """
    Sends requests to the peers of dialogs.

    @ivar transport: finds the way to a peer.
    """

    _layer: SipLayer
    transport: ISipTransport

    async def send(self, dialog: Dialog, request: Request, flow: Flow) -> Response:
        """
        A connection of the peer is used while it is open, because a peer
        behind NAT cannot be reached otherwise (RFC 5626 section 4.2); UDP goes
        to the next hop of the dialog where that is an address, else back to
        where the peer's requests come from.

        @param flow: what the peer's last request came by.
        @return: the final response; a 2xx to an INVITE has been acknowledged.
        @raise TransactionTimeout: there was none.
        @raise FlowGone: the peer cannot be reached.
        """
        host, port = _target(dialog, flow)
        if not flow.reliable:
            # From the same local address as before: a peer may know only that.
            remote = (host, port) if isAddress(host) else flow.remote
            if flow.relay:
                own = await self.transport.connect("UDP", *remote)
                return await self._sendOn(dialog, request, own)
            return await self._sendOn(dialog, request, Flow("UDP", flow.local, remote))
        try:
            if flow.relay:
                raise FlowGone(f"the connection is one of {flow.relay}")
            return await self._sendOn(dialog, request, flow)
        except FlowGone:
            again = await self.transport.connect(flow.transport, host, port)
            return await self._sendOn(dialog, request, again)

    async def bye(self, dialog: Dialog, flow: Flow, cause: int, text: str) -> Dialog:
        """
        Send a BYE and wait for its answer, if there comes one: the dialog is
        over in any case (RFC 3261 section 15.1.1).

        @param cause: SIP status for the Reason header (RFC 3326).
        @return: the dialog with the BYE's CSeq used up.
        """
        reason = ("Reason", f"SIP;cause={cause};text={quote(text)}")
        after, request = dialog.request("BYE", headers=[reason])
        try:
            await self.send(after, request, flow)
        except SipError as error:
            log.info("{callID}: BYE: {why}", callID=dialog.callID, why=str(error))
        return after

    def abandon(self, dialog: Dialog) -> None:
        """
        Another process has the dialog: from here on nothing is sent in it.
        """
        self._layer.forgetDialog(dialog.callID, dialog.localTag, dialog.remoteTag)

    async def _sendOn(self, dialog: Dialog, request: Request, flow: Flow) -> Response:
        def acknowledge(response: Response) -> None:
            # Also each time that the peer repeats its 2xx (RFC 3261 section
            # 13.2.2.4).
            if request.method == "INVITE" and 200 <= response.status < 300:
                self._layer.sendAck(dialog.refreshed(response).ack(request), flow)

        response = await self._layer.sendRequest(request, flow, acknowledge)
        acknowledge(response)
        return response


def refreshRequest(
    dialog: Dialog, agreed: Agreed, local: SessionDescription | None, *, updates: bool
) -> tuple[Dialog, Request]:
    """
    Make the request that refreshes a session (RFC 4028 section 7.4): an UPDATE
    without a description where the peer takes that, else a re-INVITE with the
    one that holds.

    @param local: the description that we sent last, or C{None}.
    @param updates: whether the peer has said that it takes UPDATE.
    @return: the dialog with the CSeq used up, and the request.
    """
    headers = agreed.refreshHeaders
    if updates or local is None:
        return dialog.request("UPDATE", headers=headers)
    body = local.serialize()
    return dialog.request("INVITE", headers=headers, body=body, contentType="application/sdp")


def _target(dialog: Dialog, flow: Flow) -> tuple[str, int]:
    """
    @return: host, maybe a name, and port of the next hop; where it cannot be
        read, those that the peer's requests come from.
    """
    try:
        hop = parseURI(dialog.nextHop)
    except BadURI:
        return flow.remote
    if not isinstance(hop, SipURI):
        return flow.remote
    return hop.host, hop.port or defaultPort(flow.transport)
