"""
Tests of L{siprec.uas.doorway}.
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from siprec.ids import newBranch
from siprec.sip.errors import BadMessage
from siprec.sip.flow import Flow
from siprec.sip.interfaces import IMessageReceiver
from siprec.sip.message import Request, Response, makeResponse
from siprec.uas.snapshot import flowOf
from tests.sip.credentials import ha1Of, withCredentials
from tests.uas.kit import PEER, RecorderTestCase, Src, offer

SBC: dict[str, object] = {"name": "sbc", "networks": [PEER]}
OTHER: dict[str, object] = {"name": "other", "networks": ["198.51.100.0/24"]}
FORGER = Flow("UDP", ("192.0.2.1", 5060), ("198.51.100.9", 5060))


class PeerTests(RecorderTestCase):
    """
    Who is let in.
    """

    def setUp(self) -> None:
        super().setUp()
        self.house.admit(OTHER)
        self.calls = self.house.clock.getDelayedCalls()

    def test_interface(self) -> None:
        """
        It takes what the transport has received.
        """
        verifyObject(IMessageReceiver, self.house.doorway)

    def test_strangers(self) -> None:
        """
        Whatever a stranger sends is answered 403, with a tag and without a
        transaction, and counted; an ACK is not answered.
        """
        for method in ("INVITE", "OPTIONS", "BYE", "CANCEL", "REGISTER"):
            body = (offer(), None) if method == "INVITE" else (None, None)
            response = self.src.ask(self.src.make(method, body=body))
            self.assertEqual(response.status, 403)
            self.assertTrue(response.toTag)
            self.warned(response, "unknown peer")
        self.src.ack()
        self.assertEqual(self.house.doorway.refused["stranger"], 6)
        self.assertEqual(self.house.recorder.calls, {})
        self.assertEqual(self.house.clock.getDelayedCalls(), self.calls)

    def test_copies(self) -> None:
        """
        Each copy of a request has the same answer (RFC 3261 section 8.2.7).
        """
        request = self.src.make("OPTIONS")
        self.assertEqual(self.src.ask(request), self.src.ask(request))

    def test_responses(self) -> None:
        """
        A response is known by its branch, which nobody can guess, from wherever
        it comes.
        """
        request = self.src.make("OPTIONS")
        self.assertEqual(self.house.feed(makeResponse(request, 200), self.src.flow), [])
        self.assertEqual(self.house.layer.counters["strayResponses"], 1)
        self.assertEqual(self.house.doorway.refused["stranger"], 0)

    def test_badMessages(self) -> None:
        """
        Nor is a stranger told what is wrong with its messages.
        """
        error = BadMessage("broken", b"", 400, self.src.make("OPTIONS"))
        self.house.doorway.badMessage(error, self.src.flow)
        self.assertEqual(self.house.wire.take(), [])
        self.house.admit(SBC)
        self.house.doorway.badMessage(error, self.src.flow)
        [response] = self.house.wire.take()
        assert isinstance(response, Response)
        self.assertEqual(response.status, 400)

    def test_A61_peers(self) -> None:
        """
        A peer is served.
        """
        self.house.admit(SBC)
        self.src.call()
        self.assertEqual(self.src.bye().status, 200)

    def test_profile(self) -> None:
        """
        A peer's own profile wins over that of all.
        """
        self.house.admit({**SBC, "profile": "strict"})
        plain = Src(self.house, contact=f"<sip:src@{PEER}>")
        self.assertEqual(plain.invite().status, 403)
        self.house.admit({**SBC})
        self.assertEqual(Src(self.house, callID="2", contact=plain.contact).invite().status, 200)


class DialogTests(RecorderTestCase):
    """
    A call belongs to the peer that began it.
    """

    def setUp(self) -> None:
        super().setUp()
        self.house.admit(SBC, OTHER)

    def test_A61_forgedRequests(self) -> None:
        """
        What another peer sends in a dialog, with all that identifies it, is
        answered 403 and counted, and changes nothing.
        """
        self.src.call()
        [call] = self.house.recorder.calls.values()
        for number, method in enumerate(("BYE", "INVITE", "UPDATE", "INFO", "OPTIONS")):
            forged = self.src.make(method, body=(None, None), cseq=100 + number)
            [response] = self.house.feed(forged, FORGER)
            assert isinstance(response, Response)
            self.assertEqual(response.status, 403)
        self.assertEqual(self.house.recorder.refused["otherPeer"], 5)
        self.assertEqual(call.flow, self.src.flow)
        self.assertEqual(self.src.update().status, 200)
        self.assertEqual(self.src.bye().status, 200)
        self.assertEqual(self.house.manifest["endReason"], "bye")
        self.house.wait(10)

    def test_forgedAck(self) -> None:
        """
        Nor does its ACK stop the 200 from being repeated.
        """
        self.src.invite()
        self.house.feed(self.src.make("ACK", cseq=1), FORGER)
        self.assertEqual(len(self.house.wait(0.5)), 1)
        self.assertEqual(self.house.recorder.refused["otherPeer"], 1)

    def test_forgedCancel(self) -> None:
        """
        Nor does its CANCEL end what it did not begin.
        """
        saving: list[Deferred[None]] = []
        self.house.store.waiting = saving
        self.src.send(self.src.make("INVITE", body=(offer(), None)))
        self.src.flow, flow = FORGER, self.src.flow
        [response] = self.src.cancel()
        assert isinstance(response, Response)
        self.assertEqual(response.status, 481)
        self.src.flow = flow
        statuses = [each.status for each in self.src.cancel() if isinstance(each, Response)]
        self.assertIn(200, statuses)
        self.house.store.waiting = None
        for each in saving:
            each.callback(None)
        self.assertEqual(self.house.manifest["endReason"], "cancelled")
        self.house.wait(1)

    def test_otherAddress(self) -> None:
        """
        Another address of the same peer is as good.
        """
        self.house.admit({**SBC, "networks": [PEER, "198.51.100.9"]})
        self.src.call()
        self.src.flow = FORGER
        self.assertEqual(self.src.bye().status, 200)

    def test_listComesLater(self) -> None:
        """
        A call that began while there was no list is not held to a peer; one
        that began with it goes on without.
        """
        self.house.admit()
        self.src.call()
        self.house.admit(SBC, OTHER)
        self.assertEqual(self.src.update().status, 200)
        other = Src(self.house, callID="other")
        other.call()
        self.house.admit()
        other.flow = FORGER
        self.assertEqual(other.bye().status, 200)

    def test_resumed(self) -> None:
        """
        Another node that goes on with a call holds it to the same peer.
        """
        self.src.call()
        snapshot = self.house.store.saved[-1]
        self.assertEqual(snapshot.dialog.peers, ("sbc",))
        self.assertEqual(flowOf(snapshot.dialog).peers, ("sbc",))


class DigestTests(RecorderTestCase):
    """
    Peers that have to authenticate.
    """

    def setUp(self) -> None:
        super().setUp()
        authenticator = self.house.authenticator
        authenticator.algorithms = ("SHA-256",)
        authenticator.users = {
            (user, "siprec", "SHA-256"): ha1Of("SHA-256", user, "secret") for user in ("ann", "bob")
        }
        self.house.admit(
            {"name": "a", "networks": [PEER], "digest_users": ["ann"]},
            {"name": "b", "networks": [PEER], "digest_users": ["bob"]},
        )

    def challenged(self, request: Request) -> str:
        """
        @return: the challenge that the request gets.
        """
        response = self.src.ask(request)
        self.assertEqual(response.status, 401)
        self.assertTrue(response.toTag)
        return response.headers.get("WWW-Authenticate") or ""

    def proven(self, request: Request, user: str = "ann") -> Request:
        """
        @return: the same once more, with credentials.
        """
        challenge = self.challenged(request)
        branch = ("Via", f"SIP/2.0/UDP {PEER}:5060;branch={newBranch()}")
        again = evolve(request, headers=request.headers.replacing(*branch))
        return withCredentials(again, challenge, user)

    def begin(self, user: str = "ann") -> None:
        """
        Make a call.
        """
        invite = self.src.make("INVITE", body=(offer(), None))
        response = self.src.ask(self.proven(invite, user))
        self.assertEqual(response.status, 200)
        self.src.toTag = response.toTag

    def test_A61_digest(self) -> None:
        """
        Each request is challenged, out of a dialog and in it, but ACK.
        """
        self.assertEqual(self.src.ask(self.proven(self.src.make("OPTIONS"))).status, 200)
        self.begin()
        self.src.ack()
        self.assertEqual(self.src.ask(self.proven(self.src.make("UPDATE"))).status, 200)
        self.assertEqual(self.src.ask(self.proven(self.src.make("BYE"))).status, 200)
        self.assertEqual(self.house.manifest["endReason"], "bye")
        self.assertEqual(self.house.doorway.refused["noCredentials"], 4)

    def test_D4_digest_challengeCostsNothing(self) -> None:
        """
        A challenge leaves no transaction behind, and its ACK means nothing.
        """
        calls = self.house.clock.getDelayedCalls()
        self.challenged(self.src.make("INVITE", body=(offer(), None)))
        self.src.last = self.src.make("INVITE", cseq=1)
        self.src.ack()
        self.assertEqual(self.house.clock.getDelayedCalls(), calls)

    def test_wrong(self) -> None:
        """
        A wrong password is challenged again, and counted.
        """
        request = self.src.make("OPTIONS")
        self.challenged(withCredentials(request, self.challenged(request), password="x"))
        self.assertEqual(self.house.doorway.refused["wrongCredentials"], 1)

    def test_replayed(self) -> None:
        """
        Credentials that were seen on the wire are of no use to anybody else.
        """
        proven = self.proven(self.src.make("OPTIONS"))
        self.assertEqual(self.src.ask(proven).status, 200)
        other = ("Via", f"SIP/2.0/UDP {PEER}:5060;branch={newBranch()}")
        replay = evolve(proven, headers=proven.headers.replacing(*other))
        self.assertIn("stale=true", self.challenged(replay))
        self.assertEqual(self.house.doorway.refused["replayedNonce"], 1)

    def elsewhere(self) -> tuple[Request, Deferred[bool]]:
        """
        @return: a request with a nonce of another node, and the answer of that.
        """
        answer: Deferred[bool] = Deferred()
        self.house.doorway.asking.ask = lambda found: answer
        proven = self.proven(self.src.make("OPTIONS"))
        self.house.authenticator.nonces.issuer = b"this one"
        return proven, answer

    def test_nonceOfAnotherNode(self) -> None:
        """
        The node that made the nonce is asked; until it answers nothing of the
        call goes on, copies neither.
        """
        proven, answer = self.elsewhere()
        for _ in range(2):
            self.assertEqual(self.house.feed(proven, self.src.flow), [])
        answer.callback(True)
        first, second = self.house.wire.take()
        assert isinstance(first, Response)
        self.assertEqual((first.status, first), (200, second))

    def test_replayedElsewhere(self) -> None:
        """
        If it was used before, or the node is not there, the peer is told to
        try again with a nonce of this one.
        """
        for reason in ("replayedNonce", "staleNonce"):
            proven, answer = self.elsewhere()
            if reason == "replayedNonce":
                answer.callback(False)
            else:
                answer.errback(ZeroDivisionError())
            self.assertIn("stale=true", self.challenged(proven))
            self.assertEqual(self.house.doorway.refused[reason], 1)
            self.house.authenticator.nonces.issuer = bytes(8)

    def test_copies(self) -> None:
        """
        A copy of a request that was let in is answered as ever.
        """
        proven = self.proven(self.src.make("OPTIONS"))
        self.assertEqual(self.src.ask(proven), self.src.ask(proven))

    def test_noWayAround(self) -> None:
        """
        A CANCEL, which nobody may challenge, opens no way for another request
        with what identifies its transaction.
        """
        self.src.last = invite = self.src.make("INVITE", body=(offer(), None))
        [response] = self.src.cancel()
        assert isinstance(response, Response)
        self.assertEqual(response.status, 481)
        self.challenged(invite)

    def test_heldToUser(self) -> None:
        """
        A user of another peer at the same address is not the call's peer.
        """
        self.begin("bob")
        self.src.ack()
        [call] = self.house.recorder.calls.values()
        self.assertEqual(call.flow.peers, ("b",))
        self.assertEqual(self.src.ask(self.proven(self.src.make("BYE"))).status, 403)
        self.assertEqual(self.src.ask(self.proven(self.src.make("BYE"), "bob")).status, 200)

    def test_otherUser(self) -> None:
        """
        A user of none of the peers that it may be is refused.
        """
        self.house.admit({"name": "a", "networks": [PEER], "digest_users": ["ann"]})
        response = self.src.ask(self.proven(self.src.make("OPTIONS"), "bob"))
        self.assertEqual(response.status, 403)
        self.assertEqual(self.house.doorway.refused["otherUser"], 1)

    def test_everybody(self) -> None:
        """
        Without a list of peers all users may call, if all must authenticate.
        """
        self.house.admit(digest=True)
        self.begin("bob")
        self.src.ack()
        self.assertEqual(self.src.ask(self.proven(self.src.make("BYE"))).status, 200)
