"""
Requests that the recorder sends within a dialog, and the way they take.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from attrs import define, evolve, field
from twisted.logger import Logger

from siprec.sdp.model import SessionDescription
from siprec.sip.dialog import Dialog
from siprec.sip.errors import BadURI, SipError
from siprec.sip.flow import Flow
from siprec.sip.headers import quote
from siprec.sip.interfaces import Abandoned, FlowGone, ISipTransport, TransactionTimeout
from siprec.sip.layer import SipLayer
from siprec.sip.locate import Locator, Place, locatorOf
from siprec.sip.matching import defaultPort, isAddress
from siprec.sip.message import Request, Response
from siprec.sip.sessiontimer import Agreed
from siprec.sip.uri import SipURI, parseURI

log = Logger()

# Bytes above which a request does not go over UDP if that can be avoided (RFC 3261
# section 18.1.1), and what our Via adds to one.
_LARGE, _VIA = 1300, 100

# So many peers are remembered that take no TCP.
_MOST = 1000


@define(eq=False, repr=False)
class Outgoing:
    """
    Sends requests to the peers of dialogs.

    @ivar transport: finds the way to a peer.
    @ivar locator: finds hosts by their names; without one, the transport does.
    """

    _layer: SipLayer
    transport: ISipTransport
    _locator: Locator | None = None
    _withoutTCP: OrderedDict[tuple[str, int], None] = field(factory=OrderedDict, init=False)

    @classmethod
    def over(cls, layer: SipLayer, transport: ISipTransport, reactor: Any) -> Outgoing:
        """
        @param reactor: see L{locatorOf}.
        @return: one that asks the name servers of this host.
        """
        return cls(layer, transport, locatorOf(reactor))

    async def send(self, dialog: Dialog, request: Request, flow: Flow) -> Response:
        """
        A connection of the peer is used while it is open, because a peer
        behind NAT cannot be reached otherwise (RFC 5626 section 4.2); else the
        places of the dialog's next hop are tried one after the other (RFC 3263
        section 4.3).  With UDP the last is where the peer's requests come from,
        where the next hop is a name.  A large request goes over TCP, and over
        UDP where there is none.  To a SIPS URI there is no way but TLS (RFC
        3261 section 26.2.2).

        @param flow: what the peer's last request came by.
        @return: the final response; a 2xx to an INVITE has been acknowledged.
        @raise TransactionTimeout: there was none.
        @raise Abandoned: another process has the dialog by now.
        @raise FlowGone: the peer cannot be reached.
        """
        protected = flow.transport == "TLS" or not _isSecure(dialog)
        if flow.reliable and not flow.relay and protected:
            try:
                return await self._sendOn(dialog, request, flow)
            except Abandoned:
                raise
            except FlowGone as error:
                log.debug("{callID}: {why}", callID=dialog.callID, why=str(error))
        *others, last = await self._places(dialog, flow)
        for place in others:
            try:
                response = await self._sendTo(place, dialog, request, flow)
            except Abandoned:
                raise
            except (FlowGone, TransactionTimeout) as error:
                log.info("{callID}: {why}", callID=dialog.callID, why=str(error))
            else:
                if response.status != 503:
                    return response
        return await self._sendTo(last, dialog, request, flow)

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

    async def _places(self, dialog: Dialog, flow: Flow) -> list[Place]:
        """
        @return: at least one.
        """
        hop, secure = _hop(dialog), _isSecure(dialog)
        if hop is None and secure and flow.transport != "TLS":
            raise FlowGone(f"{dialog.nextHop} cannot be reached over TLS")
        if hop is None:
            return [Place(flow.transport, *flow.remote)]
        usual = "TLS" if secure else flow.transport
        known = Place(usual, hop.host, hop.port or defaultPort(usual))
        wanted = (hop.param("transport") or "").upper()
        if isAddress(hop.host):
            if usual == "UDP" and wanted in ("TCP", "TLS"):
                return [Place(wanted, hop.host, hop.port or defaultPort(wanted)), known]
            return [known]
        found: list[Place] = []
        if self._locator is not None:
            # What was protected by TLS stays so.
            kind = "TLS" if usual == "TLS" else wanted if wanted in ("UDP", "TCP", "TLS") else None
            places = await self._locator.locate(hop.host, hop.port, kind)
            found = [evolve(each, name=hop.host) for each in places]
        if usual == "UDP":
            back = Place("UDP", *flow.remote, hop.host)
            return [each for each in found if each != back] + [back]
        return found or [known]

    async def _sendTo(self, place: Place, dialog: Dialog, request: Request, flow: Flow) -> Response:
        if place.transport != "UDP":
            name = place.name if place.transport == "TLS" else ""
            again = await self.transport.connect(place.transport, place.host, place.port, name)
            return await self._sendOn(dialog, request, again)
        remote = (place.host, place.port)
        if len(request.serialize()) + _VIA > _LARGE and remote not in self._withoutTCP:
            try:
                stream = await self.transport.connect("TCP", *remote)
                return await self._sendOn(dialog, request, stream)
            except Abandoned:
                raise
            except FlowGone as error:
                log.info("{callID}: no TCP: {why}", callID=dialog.callID, why=str(error))
                self._withoutTCP[remote] = None
                if len(self._withoutTCP) > _MOST:
                    self._withoutTCP.popitem(last=False)
        if flow.transport == "UDP" and not flow.relay:
            # From the same local address as before: a peer may know only that.
            return await self._sendOn(dialog, request, Flow("UDP", flow.local, remote))
        return await self._sendOn(dialog, request, await self.transport.connect("UDP", *remote))

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


def _isSecure(dialog: Dialog) -> bool:
    """
    @return: whether its requests may go over TLS only.
    """
    uris = (dialog.remoteTarget, dialog.nextHop)
    return dialog.secure or any(each[:5].lower() == "sips:" for each in uris)


def _hop(dialog: Dialog) -> SipURI | None:
    """
    @return: the next hop of a dialog; C{None} where it cannot be read.
    """
    try:
        hop = parseURI(dialog.nextHop)
    except BadURI:
        return None
    return hop if isinstance(hop, SipURI) else None
