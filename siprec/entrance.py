"""
How SIP comes into a node, put together as configured: the transport, and who is
let in.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from attrs import define

from siprec.cluster.keys import readSecrets
from siprec.config import ConfigError, Settings
from siprec.recorder import Recorder
from siprec.sip.auth import Authenticator
from siprec.sip.digest import Users, parseUsers
from siprec.sip.flow import Witness, unseen
from siprec.sip.interfaces import IMessageReceiver
from siprec.sip.layer import SipLayer
from siprec.sip.nonces import Nonces, Replays, issuerOf
from siprec.sip.tls import TLSFiles
from siprec.sip.transport import TransportService
from siprec.uas.doorway import Doorway
from siprec.uas.intake import Intake
from siprec.uas.peerlist import PeerList
from siprec.uas.throttle import Throttle

__all__ = ["Entrance", "makeEntrance"]


@define(eq=False, repr=False)
class Entrance:
    """
    @ivar transport: hands what it receives to C{intake}, and that to C{doorway}.
    """

    transport: TransportService
    doorway: Doorway
    intake: Intake

    def configure(self, settings: Settings, recorder: Recorder) -> None:
        """
        Take up, at the start and again later, who is let in.
        """
        sip = settings.sip
        peers = PeerList(settings.peers, sip.digest)
        recorder.peerList = self.doorway.peers = peers
        self.transport.tls.aliases = peers.certificates
        throttle, limits = self.doorway.throttle, self.transport.limits
        throttle.nodeRate, throttle.sourceRate = sip.inviteRate, sip.sourceRate
        self.intake.patience = sip.maxWait
        limits.perHost, limits.idle = sip.sourceConnections, sip.idleTimeout
        recorder.capacity.maxStreams = sip.maxStreams
        recorder.capacity.maxUnacknowledged = sip.maxUnacknowledged
        limits.inUse, self.doorway.notReady = recorder.uses, recorder.notReady
        self.doorway.alone = lambda: recorder.alone()
        authenticator = self.doorway.authenticator
        authenticator.realm, authenticator.algorithms = sip.digestRealm, sip.digestAlgorithms
        authenticator.replays.lifetime = sip.digestLifetime

    def load(self, settings: Settings) -> None:
        """
        Read the files that are named in the settings.

        @raise OSError: one of them cannot be read or used; what was read
            before of all of them is still in use.
        """
        sip, cluster = settings.sip, settings.cluster
        users = _readUsers(sip.digestFile) if sip.digestFile else {}
        # The key of the nonces is that of all nodes, or that of this process.
        secret = _readSecret(cluster.secretFile)
        try:
            required = sip.tlsClient == "required"
            self.transport.tls.use(
                TLSFiles(sip.tlsCertificate, sip.tlsKey, sip.tlsCa, required=required)
            )
        except OSError as error:
            raise OSError(f"sip.tls_certificate, sip.tls_key, sip.tls_ca: {error}") from error
        authenticator = self.doorway.authenticator
        authenticator.users = users
        authenticator.nonces.key = secret or authenticator.nonces.key


def _readUsers(path: str) -> Users:
    try:
        with open(path, encoding="utf-8") as file:
            return parseUsers(file.read())
    except (OSError, ValueError) as error:
        raise OSError(f"sip.digest_file = {path!r}: {error}") from error


def _readSecret(path: str) -> bytes | None:
    try:
        return next(iter(readSecrets(path)), None)
    except ConfigError as error:
        raise OSError(str(error)) from error


def makeEntrance(
    reactor: Any,
    settings: Settings,
    layer: SipLayer,
    now: Callable[[], float],
    receiver: IMessageReceiver | None = None,
    witness: Witness = unseen,
    instance: str = "",
) -> Entrance:
    """
    @param now: gives seconds since the Unix epoch.
    @param receiver: gets what is let in; by default the layer.
    @param witness: is told of all messages, also of those that are not let in.
    @param instance: of this life of the node's process, as its lease has it.
    """
    nonces = Nonces(secrets.token_bytes(32), now, issuerOf(instance))
    authenticator = Authenticator(nonces, Replays(settings.sip.digestLifetime, now))
    throttle = Throttle(reactor.seconds)
    doorway = Doorway(layer, receiver or layer, authenticator, throttle, now)
    intake = Intake(reactor, doorway)
    sip = settings.sip
    transport = TransportService(reactor, sip.listen, sip.advertise, intake, witness=witness)
    return Entrance(transport, doorway, intake)
