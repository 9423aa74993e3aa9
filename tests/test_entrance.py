"""
Tests of L{siprec.entrance}.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.trial.unittest import SynchronousTestCase

from siprec.entrance import Entrance, makeEntrance
from siprec.peersettings import readPeers
from siprec.sip.digest import hashed
from siprec.sip.layer import SipLayer
from siprec.sip.nonces import issuerOf
from siprec.sip.tls import TLSFiles
from siprec.uas.capacity import Capacity
from siprec.uas.peerlist import PeerList
from tests.nodeparts import FakeReactor, settingsFor
from tests.sip.authority import Authority
from tests.sip.sockets import Receiver
from tests.sip.traffic import UDP, request


@define(eq=False)
class Taken:
    """
    Stands for a recorder that is configured.
    """

    peerList: PeerList = field(factory=PeerList)
    capacity: Capacity = field(factory=Capacity)

    def alone(self) -> bool:
        return False

    def uses(self, connection: int) -> bool:
        return connection == 7

    def notReady(self) -> list[str]:
        return ["full"]


class EntranceTests(SynchronousTestCase):
    """
    The transport and the doorway, as configured.
    """

    def setUp(self) -> None:
        self.reactor: Any = FakeReactor()
        self.layer = SipLayer(self.reactor)
        self.root = os.path.abspath(self.mktemp())
        self.recorder: Any = Taken()

    def make(self, **overrides: object) -> Entrance:
        """
        @return: an entrance that is configured, but has read no file.
        """
        settings = settingsFor(self.root, **overrides)
        made = makeEntrance(self.reactor, settings, self.layer, self.reactor.seconds)
        made.configure(settings, self.recorder)
        return made

    def written(self, content: str) -> str:
        """
        @return: the path of a file.
        """
        path: str = os.path.abspath(self.mktemp())
        with open(path, "w") as file:
            file.write(content)
        return path

    def test_digest(self) -> None:
        """
        The authenticator has what is configured, and the users of the file
        once it is read; it is read again when it has changed.
        """
        ha1 = hashed("MD5", "x")
        path = self.written(f"ann:r:MD5:{ha1}\n")
        given = {
            "sip__digest": True,
            "sip__digest_file": path,
            "sip__digest_realm": "r",
            "sip__digest_algorithms": ["MD5"],
            "sip__digest_lifetime": 7,
        }
        entrance, settings = self.make(**given), settingsFor(self.root, **given)
        authenticator = entrance.doorway.authenticator
        self.assertTrue(entrance.doorway.peers.digest)
        self.assertEqual((authenticator.realm, authenticator.algorithms), ("r", ("MD5",)))
        self.assertEqual((authenticator.replays.lifetime, authenticator.users), (7, {}))
        entrance.load(settings)
        self.assertEqual(authenticator.users, {("ann", "r", "MD5"): ha1})
        for content in ("bob", f"bob:r:MD5:{ha1}\n"):
            with open(path, "w") as file:
                file.write(content)
            if content == "bob":
                error = self.assertRaises(OSError, entrance.load, settings)
                self.assertIn("sip.digest_file", str(error))
                self.assertEqual(list(authenticator.users), [("ann", "r", "MD5")])
            else:
                entrance.load(settings)
                self.assertEqual(list(authenticator.users), [("bob", "r", "MD5")])

    def test_secret(self) -> None:
        """
        The nonces are made with the secret of the cluster, if there is one;
        else each process has a key of its own.
        """
        path = self.written("0123456789abcdef\n")
        settings = settingsFor(self.root, cluster__secret_file=path)
        nonces = []
        for each in (settings, settings, settingsFor(self.root)):
            entrance = self.make()
            entrance.load(each)
            nonces.append(entrance.doorway.authenticator.nonces)
        self.assertEqual(nonces[0].age(nonces[1].make()), 0)
        self.assertIsNone(nonces[0].age(nonces[2].make()))

    def test_instance(self) -> None:
        """
        A nonce shows which life of the node has made it.
        """
        settings = settingsFor(self.root)
        made = makeEntrance(
            self.reactor, settings, self.layer, self.reactor.seconds, instance="a life"
        )
        self.assertEqual(made.doorway.authenticator.nonces.issuer, issuerOf("a life"))

    def test_tls(self) -> None:
        """
        The transport has the files that are configured; who may be at an
        address, the peers say.
        """
        authority = Authority(Path(self.mktemp()).absolute())
        certificate = authority.issue("srs.pem")
        peer = {"name": "a", "networks": ["192.0.2.7"], "certificate": ["sbc.example.com"]}
        given = {
            "sip__tls_certificate": certificate,
            "sip__tls_ca": authority.path,
            "sip__tls_client": "optional",
            "peer": [peer],
        }
        entrance = self.make(**given)
        tls = entrance.transport.tls
        self.assertEqual(list(tls.aliases("192.0.2.7")), ["sbc.example.com"])
        self.assertEqual(list(tls.aliases("192.0.2.8")), [])
        entrance.load(settingsFor(self.root, **given))
        self.assertEqual(tls._files, TLSFiles(certificate, "", authority.path, required=False))
        error = self.assertRaises(
            OSError, entrance.load, settingsFor(self.root, sip__tls_certificate="/nonexistent")
        )
        self.assertIn("sip.tls_certificate", str(error))

    def test_limits(self) -> None:
        """
        Each limit goes to where it is kept, and asks the recorder what it
        needs to know.
        """
        entrance = self.make(
            sip__max_streams=1,
            sip__max_unacknowledged=2,
            sip__max_wait=4,
            sip__invite_rate=3,
            sip__source_rate=4,
            sip__source_connections=5,
            sip__idle_timeout=6,
        )
        doorway, limits = entrance.doorway, entrance.transport.limits
        capacity = self.recorder.capacity
        self.assertEqual((capacity.maxStreams, capacity.maxUnacknowledged), (1, 2))
        self.assertEqual(entrance.intake.patience, 4)
        self.assertEqual((doorway.throttle.nodeRate, doorway.throttle.sourceRate), (3, 4))
        self.assertEqual((limits.perHost, limits.idle), (5, 6))
        self.assertTrue(limits.inUse(7))
        self.assertEqual((doorway.notReady(), doorway.alone()), (["full"], False))

    def test_badFiles(self) -> None:
        """
        A file that is not there, or a secret that is too short, is an error
        that names the key.
        """
        for key, path in (
            ("sip.digest_file", "/nonexistent"),
            ("cluster.secret_file", "/nonexistent"),
            ("cluster.secret_file", self.written("short")),
        ):
            settings = settingsFor(self.root, **{key.replace(".", "__"): path})
            error = self.assertRaises(OSError, self.make().load, settings)
            self.assertIn(f"{key} = ", str(error))

    def test_peers(self) -> None:
        """
        The recorder and the doorway have the same peers, and get new ones.
        """
        entrance = self.make()
        for tables in ([], [{"name": "a", "networks": ["192.0.2.7"]}]):
            settings = settingsFor(self.root, peer=tables)
            entrance.configure(settings, self.recorder)
            self.assertEqual(entrance.doorway.peers.entries, readPeers(tables))
            self.assertIs(self.recorder.peerList, entrance.doorway.peers)

    def test_receiver(self) -> None:
        """
        What is let in may go elsewhere than to the layer.
        """
        receiver = Receiver()
        settings = settingsFor(self.root)
        entrance = makeEntrance(
            self.reactor, settings, self.layer, self.reactor.seconds, receiver=receiver
        )
        entrance.doorway.messageReceived(request(), UDP)
        self.assertEqual(len(receiver.messages), 1)
