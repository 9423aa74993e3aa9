"""
Tests of L{siprec.cluster.relay}: nodes that do not answer, a store that is away,
too much at once.
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from siprec.cluster.wakefulness import Wakefulness
from siprec.sip.flow import Flow
from siprec.sip.message import Request, Response
from tests.cluster.relaycase import B, C, Layer, RelayCase, ask
from tests.sip.traffic import TCP, UDP, answer


class TroubleTests(RelayCase):
    """
    Nodes and the store do not answer.
    """

    def test_storeAway(self) -> None:
        """
        While the store is away nobody knows whose a dialog is: not 481; a tag that no
        node here has made is no dialog all the same.
        """
        self.a.store.away = True
        self.comes(self.a, ask(), ask(tag="stranger"))
        self.assertEqual((self.a.methods(), self.a.told()), (["BYE", "BYE"], [True, False]))

    def test_askedAll(self) -> None:
        """
        Then every node is asked; the one that has the call takes the request, and has
        the next one without being looked for.
        """
        self.a.store.away, self.a.owners.living = True, [B, C]
        self.c.owners.mine.add("call-1")
        self.comes(self.a, ask("UPDATE"), ask("BYE", 4))
        self.assertEqual(
            (self.a.methods(), self.b.methods(), self.c.methods()), ([], [], ["UPDATE", "BYE"])
        )
        self.assertEqual([node for node, _, _ in self.a.links.asked], [B, C, C])
        self.assertEqual(self.a.relay.counters, {"found": 1, "relayed": 1})

    def test_askedInVain(self) -> None:
        """
        A call that no other node has may be one of a node that does not answer.
        """
        self.a.store.away, self.a.owners.living = True, [B, C]
        self.a.links.gone.add(C)
        self.comes(self.a, ask())
        self.assertEqual((self.a.methods(), self.a.told()), (["BYE"], [True]))
        self.assertEqual(self.a.relay.counters, {"unanswered": 1})

    def test_notBelieved(self) -> None:
        """
        Every node is asked as well while the store may have lost what it had.
        """
        self.a.owners.sure, self.a.owners.living = False, [B, C]
        self.b.owners.mine.add("call-1")
        self.comes(self.a, ask())
        self.assertEqual((self.a.methods(), self.b.methods()), ([], ["BYE"]))

    def test_believed(self) -> None:
        """
        Else a dialog that is not in the store is not looked for anywhere.
        """
        self.a.owners.living = [B, C]
        self.b.owners.mine.add("call-1")
        self.comes(self.a, ask())
        self.assertEqual((self.a.methods(), self.b.methods()), (["BYE"], []))

    def test_askedOnce(self) -> None:
        """
        What comes from a node that asks is not asked on.
        """
        self.a.store.away = self.b.store.away = True
        self.a.owners.living, self.b.owners.living = [B], [C]
        self.c.owners.mine.add("call-1")
        self.comes(self.a, ask())
        self.assertEqual((self.a.told(), self.b.links.asked), ([True], []))

    def test_rememberedAway(self) -> None:
        """
        Where the owner is remembered, the store need not be there.
        """
        self.record(B)
        self.b.owners.mine.add("call-1")
        self.comes(self.a, ask("UPDATE"))
        self.a.store.away = True
        self.comes(self.a, ask("BYE", 4))
        self.assertEqual(self.b.methods(), ["UPDATE", "BYE"])

    def test_ownerGone(self) -> None:
        """
        An owner that cannot be reached has a second to come back; after three attempts
        the peer is told to ask later.
        """
        self.record(B)
        self.a.links.gone.add(B)
        self.comes(self.a, ask())
        self.clock.advance(1)
        self.assertEqual(self.a.methods(), [])
        self.clock.pump([1, 1])
        self.assertEqual((self.a.methods(), self.a.told()), (["BYE"], [True]))
        self.assertEqual(len(self.a.links.asked), 3)

    def test_comesBack(self) -> None:
        """
        If it does, it has the request, and nothing else is said to the peer.
        """
        self.record(B)
        self.b.owners.mine.add("call-1")
        self.a.links.gone.add(B)
        self.comes(self.a, ask(), ask("ACK", 2))
        self.a.links.gone.clear()
        self.clock.advance(1)
        self.assertEqual((self.a.methods(), self.b.methods()), ([], ["BYE", "ACK"]))

    def test_diesMeanwhile(self) -> None:
        """
        If it is found dead instead, the call is claimed and its request is taken here.
        """
        record = self.record(B)
        self.b.owners.mine.add("call-1")
        self.comes(self.a, ask("UPDATE"))
        self.a.links.gone.add(B)
        self.comes(self.a, ask("BYE", 4))
        self.a.owners.dead.add(B)
        self.clock.advance(1)
        [(claimed, done)] = self.a.owners.claims
        self.assertEqual(claimed.sessionID, record.sessionID)
        self.a.owners.mine.add("call-1")
        done.callback(None)
        self.assertEqual((self.a.methods(), self.a.told()), (["BYE"], [False]))

    def test_rememberedDead(self) -> None:
        """
        A node that is known to be dead is not asked, though it is remembered.
        """
        self.record(B)
        self.b.owners.mine.add("call-1")
        self.comes(self.a, ask("UPDATE"))
        self.a.owners.dead.add(B)
        self.comes(self.a, ask("BYE", 4))
        self.assertEqual((len(self.a.links.asked), len(self.a.owners.claims)), (1, 1))
        self.a.owners.claims[0][1].callback(None)
        for _, done in self.a.owners.claims[1:]:
            done.callback(None)

    def test_othersClaim(self) -> None:
        """
        If another node was faster with a dead one's call, it is asked; the peer is not
        told to ask later.
        """
        record = self.record(B)
        self.a.owners.dead.add(B)
        self.comes(self.a, ask())
        self.claimed(record, C)
        self.c.owners.mine.add("call-1")
        self.a.owners.claims[0][1].callback(None)
        self.assertEqual((self.a.methods(), self.c.methods()), ([], ["BYE"]))

    def test_claimFails(self) -> None:
        """
        A call that cannot be claimed may still be somewhere.
        """
        self.record(B)
        self.a.owners.dead.add(B)
        self.comes(self.a, ask())
        for number in range(3):
            self.a.owners.claims[number][1].callback(None)
        self.assertEqual((self.a.methods(), self.a.told()), (["BYE"], [True]))

    def test_unforeseen(self) -> None:
        """
        Whatever goes wrong with one request concerns no other, and it is answered.
        """
        self.record(B)
        self.a.store.errors["listByCallID"] = ZeroDivisionError()
        with capturedLogs() as events:
            self.comes(self.a, ask())
        self.assertEqual((self.a.methods(), self.a.told()), (["BYE"], [True]))
        self.assertIn("log_failure", events[0])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.a.store.errors.clear()
        self.b.owners.mine.add("call-1")
        self.comes(self.a, ask())
        self.assertEqual(self.b.methods(), ["BYE"])

    def test_receiver(self) -> None:
        """
        Nor does a layer that fails hold up what comes next.
        """

        class Failing(Layer):
            def messageReceived(self, message: Request | Response, flow: Flow) -> None:
                raise ZeroDivisionError

        self.a.relay.receiver = Failing(self.a.relay)
        self.comes(self.a, ask())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.a.relay.receiver = self.a.layer
        self.comes(self.a, ask())
        self.assertEqual(self.a.methods(), ["BYE"])

    def test_stop(self) -> None:
        """
        After the stop nothing is waited for.
        """
        self.record(B)
        self.a.links.gone.add(B)
        self.comes(self.a, ask())
        self.a.relay.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.a.methods(), ["BYE"])


class FloodTests(RelayCase):
    """
    Dialogs that somebody has invented, and more than there is room for.
    """

    def test_lookups(self) -> None:
        """
        So many look-ups are under way at most.  Beyond that a peer on UDP will ask again;
        one on a connection is told to; a new call is taken.
        """
        self.a.store.held = []
        self.a.owners.afterDeath = True
        for number in range(200):
            self.comes(self.a, self.call(number))
        self.assertEqual(len(self.a.store.calls), 200)
        self.comes(self.a, self.call(200))
        self.assertEqual((self.a.methods(), self.a.relay.counters["overflow"]), ([], 1))
        self.comes(self.a, self.call(201), flow=TCP)
        self.assertEqual((self.a.methods(), self.a.told()), (["BYE"], [True]))
        self.comes(self.a, ask("INVITE", tag=None))
        self.assertEqual((self.a.methods(), self.a.told()), (["INVITE"], [False]))
        self.assertEqual(len(self.a.store.calls), 200)
        self.a.store.letGo()
        self.assertEqual(self.a.methods(), ["BYE"] * 200)
        self.comes(self.a, self.call(200))
        self.assertEqual((self.a.methods(), self.a.told()[-1]), (["BYE"], False))

    def test_oneDialog(self) -> None:
        """
        One dialog has one look-up at a time, and so many requests that wait.
        """
        self.a.store.held = []
        self.comes(self.a, *(ask("INFO", number) for number in range(20)))
        self.assertEqual((len(self.a.store.calls), self.a.relay.counters["overflow"]), (1, 3))
        self.a.store.letGo()
        self.assertEqual(self.a.methods(), ["INFO"] * 17)

    def call(self, number: int) -> Request:
        """
        @return: a request in a dialog that nobody has.
        """
        return evolve(ask(), headers=ask().headers.replacing("Call-ID", f"invented-{number}"))


class AsleepTests(RelayCase):
    """
    A node that does not know whether its calls are its own.
    """

    def setUp(self) -> None:
        super().setUp()
        self.verifying: Deferred[None] = Deferred()
        self.wakefulness = Wakefulness(Clock(), 1.5, lambda: self.verifying)
        self.wakefulness.startService()
        self.b = self.node(B, wakefulness=self.wakefulness)
        self.record(B)
        self.b.owners.mine.add("call-1")

    def tearDown(self) -> None:
        self.successResultOf(self.wakefulness.stopService())

    def test_requests(self) -> None:
        """
        What other nodes send it waits until it knows, and is not taken if it has lost the
        call.
        """
        self.wakefulness.doubt("the test says so")
        self.comes(self.a, ask("UPDATE"))
        self.assertEqual(self.b.methods(), [])
        self.b.owners.mine.clear()
        self.a.store.away = True
        self.verifying.callback(None)
        self.assertEqual((self.b.methods(), self.a.methods()), ([], ["UPDATE"]))

    def test_awake(self) -> None:
        """
        Otherwise it is taken at once, and responses go out.
        """
        self.comes(self.a, ask("UPDATE"))
        self.assertEqual(self.b.methods(), ["UPDATE"])
        self.b.relay.send(evolve(UDP, relay="a"), answer(ask("UPDATE"), 200).serialize())
        self.assertEqual(len(self.a.transport.sent), 1)

    def test_responses(self) -> None:
        """
        It says nothing to peers by way of other nodes either.
        """
        self.wakefulness.doubt("the test says so")
        self.b.relay.send(evolve(UDP, relay="a"), answer(ask(), 200).serialize())
        self.assertEqual((self.a.transport.sent, self.b.links.asked), ([], []))
        self.verifying.callback(None)
