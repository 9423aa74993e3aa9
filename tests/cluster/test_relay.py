"""
Tests of L{siprec.cluster.relay}: where requests go.
"""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.cluster.interfaces import IClusterLinks
from siprec.ids import newTag
from siprec.sip.errors import BadMessage
from siprec.sip.interfaces import IMessageReceiver, ISipTransport
from siprec.sip.message import Request
from tests.cluster.relaycase import A, B, C, FakeLinks, Layer, RelayCase, ask, takingOver
from tests.sip.traffic import UDP, answer, request


class FakeTests(SynchronousTestCase):
    """
    The fakes are what they stand for.
    """

    def test_links(self) -> None:
        """
        Links keep their interface.
        """
        verifyObject(IClusterLinks, FakeLinks(A, {}))


class PassingTests(RelayCase):
    """
    The owner of a dialog lives.
    """

    def test_interfaces(self) -> None:
        """
        To the transport a relay is a receiver, to the layer a transport.
        """
        verifyObject(IMessageReceiver, self.a.relay)
        verifyObject(ISipTransport, self.a.relay)
        verifyObject(IMessageReceiver, Layer(self.a.relay))

    def test_owner(self) -> None:
        """
        A request in a dialog of another node is brought to it as it came, with the
        addresses that it came by.
        """
        self.record(B)
        self.b.owners.mine.add("call-1")
        self.comes(self.a, ask())
        [(message, flow)] = self.b.layer.got
        assert isinstance(message, Request)
        self.assertEqual(message.serialize(), ask().serialize())
        self.assertEqual(flow, evolve(UDP, relay="a"))
        self.assertEqual((self.a.layer.got, self.b.told()), ([], [False]))
        self.assertEqual(self.a.relay.counters, {"relayed": 1})
        self.assertEqual(self.b.relay.counters, {"received": 1})

    def test_copies(self) -> None:
        """
        Each copy is passed on: the owner's transactions absorb it.  So are an ACK and
        the CANCEL of a re-INVITE.
        """
        self.record(B)
        self.b.owners.mine.add("call-1")
        cancel = ask("CANCEL", 4)
        self.comes(self.a, ask("INVITE", 4), ask("INVITE", 4), cancel, ask("ACK", 4))
        self.assertEqual(self.b.methods(), ["INVITE", "INVITE", "CANCEL", "ACK"])

    def test_remembered(self) -> None:
        """
        For ten seconds the store is not asked again, and then it is.
        """
        self.record(B)
        self.b.owners.mine.add("call-1")
        self.comes(self.a, ask("UPDATE", 3))
        calls = len(self.a.store.calls)
        self.clock.advance(9.9)
        self.comes(self.a, ask("UPDATE", 4))
        self.assertEqual(len(self.a.store.calls), calls)
        self.clock.advance(0.2)
        self.comes(self.a, ask("UPDATE", 5))
        self.assertEqual(len(self.a.store.calls), 2 * calls)
        self.assertEqual(len(self.b.methods()), 3)

    def test_own(self) -> None:
        """
        What is this node's own, and what can be nobody's, costs no look-up: responses, new
        calls, and tags that no node of this kind has made.
        """
        self.a.owners.mine.add("call-1")
        self.comes(self.a, ask())
        self.a.owners.mine.clear()
        self.comes(self.a, ask(tag="stranger"), ask("INVITE", tag=None), ask("OPTIONS", tag=None))
        self.a.relay.messageReceived(answer(ask(), 200), UDP)
        self.assertEqual(len(self.a.layer.got), 5)
        self.assertEqual((self.a.told(), self.a.store.calls), ([False] * 4, []))

    def test_badMessage(self) -> None:
        """
        What is no message goes to the layer, which knows how to refuse it.
        """
        error = BadMessage("no", b"")
        self.a.relay.badMessage(error, UDP)
        self.assertEqual(self.a.layer.bad, [error])

    def test_order(self) -> None:
        """
        Requests of one dialog stay in their order, however long the first takes;
        those of others do not wait for it.
        """
        self.record(B)
        self.b.owners.mine.add("call-1")
        self.a.store.held = []
        self.comes(self.a, ask("INVITE", 3), ask("INVITE", 4))
        self.a.owners.mine.add("call-1")  # even if it has come here meanwhile
        self.comes(self.a, ask("BYE", 5))
        self.assertEqual(len(self.a.store.calls), 1)
        self.a.owners.mine.clear()
        self.a.store.letGo()
        self.assertEqual(self.b.methods(), ["INVITE", "INVITE", "BYE"])
        numbers = [each[2]["message"].split(b"CSeq: ")[1][:1] for each in self.a.links.asked]
        self.assertEqual(numbers, [b"3", b"4", b"5"])

    def test_unknown(self) -> None:
        """
        A dialog that is not in the store is not known to anybody: 481 is right.
        """
        self.record(B)
        self.comes(self.a, evolve(ask(), headers=ask().headers.replacing("From", "<sip:x>;tag=y")))
        self.assertEqual((self.a.methods(), self.a.told()), (["BYE"], [False]))

    def test_over(self) -> None:
        """
        A call of this node that is over, while its audio is being made, is known to
        be over.
        """
        self.record(A, state="finishing")
        self.comes(self.a, ask())
        self.assertEqual((self.a.methods(), self.a.told()), (["BYE"], [False]))

    def test_notHereYet(self) -> None:
        """
        A call that is this node's by the store, and not here, may be about to be taken
        up: it has a second for that.
        """
        self.record(A)
        self.comes(self.a, ask("UPDATE", 3))
        self.assertEqual(self.a.methods(), [])
        self.a.owners.mine.add("call-1")
        self.clock.pump([1])
        self.assertEqual((self.a.methods(), self.a.told()), (["UPDATE"], [False]))
        self.a.owners.mine.clear()
        self.comes(self.a, ask())
        self.clock.pump([1, 1])
        self.assertEqual((self.a.methods(), self.a.told()), (["BYE"], [True]))
        self.assertEqual(self.a.relay.counters["unanswered"], 1)
        self.assertFalse(self.a.relay.isUncertain(ask()))


class ReplacingTests(RelayCase):
    """
    An INVITE that replaces a dialog of another node.
    """

    def test_D4_replaces_otherNode(self) -> None:
        """
        It is brought to that node, and what belongs to it as well: copies, its
        CANCEL and the ACK to a refusal.
        """
        self.record(B)
        self.b.owners.mine.add("call-2")
        self.comes(self.a, takingOver(), takingOver(), takingOver("CANCEL"))
        self.comes(self.a, takingOver("ACK", newTag()))
        self.assertEqual(self.b.methods(), ["INVITE", "INVITE", "CANCEL", "ACK"])
        self.assertEqual(self.a.layer.got, [])

    def test_D4_replaces_dead(self) -> None:
        """
        If that node is dead, the call is taken over first.
        """
        self.record(B)
        self.a.owners.dead.add(B)
        self.comes(self.a, takingOver())
        [(_, done)] = self.a.owners.claims
        self.assertEqual(self.a.layer.got, [])
        self.a.owners.mine.add("call-2")
        done.callback(None)
        self.assertEqual(self.a.methods(), ["INVITE"])

    def test_D4_replaces_storeAway(self) -> None:
        """
        While the store is away nobody can tell whether there is such a call.
        """
        self.a.store.away = True
        self.comes(self.a, takingOver())
        self.assertEqual((self.a.methods(), self.a.told()), (["INVITE"], [True]))

    def test_D4_replaces_nobodys(self) -> None:
        """
        One that nobody has is refused here, and one that nobody here can have
        made is not looked for; the CANCEL of another call neither.
        """
        self.comes(self.a, takingOver())
        self.assertEqual(self.a.methods(), ["INVITE"])
        calls = len(self.a.store.calls)
        self.comes(self.a, takingOver(wanted="stranger"), takingOver("CANCEL"))
        self.assertEqual(self.a.methods(), ["INVITE", "CANCEL"])
        self.assertEqual(len(self.a.store.calls), calls)


class MovedTests(RelayCase):
    """
    A dialog is not where it was.
    """

    def setUp(self) -> None:
        super().setUp()
        self.found = self.record(B)
        self.b.owners.mine.add("call-1")

    def test_notMine(self) -> None:
        """
        A node that has handed a call over says so; who asked looks again, and
        remembers the new one.
        """
        self.comes(self.a, ask("UPDATE"))
        self.b.owners.mine.clear()
        self.claimed(self.found, C)
        self.c.owners.mine.add("call-1")
        self.comes(self.a, ask("INVITE", 4), ask("BYE", 5))
        self.assertEqual(self.b.methods(), ["UPDATE"])
        self.assertEqual(self.c.methods(), ["INVITE", "BYE"])
        self.assertEqual(self.b.relay.counters["refused"], 1)
        self.assertEqual(self.a.methods(), [])

    def test_cameHere(self) -> None:
        """
        The same if the call has come to the node that remembers another.
        """
        self.comes(self.a, ask("UPDATE"))
        self.b.owners.mine.clear()
        record = self.claimed(self.found, A)
        self.a.owners.taking[record.sessionID] = []
        self.comes(self.a, ask())
        self.assertEqual(self.a.methods(), [])
        self.a.owners.mine.add("call-1")
        self.a.owners.takenUp(record.sessionID)
        self.assertEqual((self.a.methods(), self.a.told()), (["BYE"], [False]))

    def test_noLoop(self) -> None:
        """
        Two nodes of which each takes the other for the owner: neither passes on what has
        come from a node, and the peer is told to ask later.
        """
        self.b.owners.mine.clear()
        self.comes(self.a, ask())
        self.clock.pump([1, 1])
        self.assertEqual([node for node, _, _ in self.a.links.asked], [B, B, B])
        self.assertEqual((self.b.links.asked, self.b.methods()), ([], []))
        self.assertEqual((self.a.methods(), self.a.told()), (["BYE"], [True]))

    def test_aboutToHaveIt(self) -> None:
        """
        An owner that does not have the call yet, though the store says so twice, has a
        second to take it up.
        """
        self.b.owners.mine.clear()
        self.comes(self.a, ask())
        self.assertEqual(len(self.a.links.asked), 2)
        self.b.owners.mine.add("call-1")
        self.clock.advance(1)
        self.assertEqual((self.a.methods(), self.b.methods()), ([], ["BYE"]))

    def test_neverTwice(self) -> None:
        """
        A request that a node has sent here, and that turns out to be for another one
        once it has been taken, is not passed on either.
        """
        self.claimed(self.found, C)
        self.c.owners.mine.add("call-1")
        self.b.owners.mine.clear()
        self.comes(self.b, ask(), flow=evolve(UDP, relay="a"))
        self.assertEqual((self.b.methods(), self.b.told()), (["BYE"], [True]))
        self.assertEqual(self.c.methods(), [])

    def test_passedOn(self) -> None:
        """
        One that came here itself is.
        """
        self.claimed(self.found, C)
        self.c.owners.mine.add("call-1")
        self.comes(self.a, ask())
        self.assertEqual((self.a.methods(), self.c.methods()), ([], ["BYE"]))

    def test_beingGiven(self) -> None:
        """
        A call that is on its way from one node to another: who asks the first one waits,
        and then asks the second.
        """
        key = self.found.sessionID
        self.b.owners.mine.clear()
        self.b.owners.taking[key] = []
        self.comes(self.a, ask())
        self.assertEqual((self.a.methods(), self.b.methods()), ([], []))
        self.claimed(self.found, C)
        self.c.owners.mine.add("call-1")
        self.b.owners.takenUp(key)
        self.assertEqual((self.a.methods(), self.b.methods(), self.c.methods()), ([], [], ["BYE"]))

    def test_beingTakenUp(self) -> None:
        """
        What is for a call that is being taken up waits for that, even if the first
        requests could be taken already: so they stay in order.
        """
        key = self.found.sessionID
        self.b.owners.mine.clear()
        self.b.owners.taking[key] = []
        self.comes(self.a, ask("INVITE", 3))
        self.b.owners.mine.add("call-1")
        self.comes(self.a, ask("INVITE", 4))
        self.comes(self.c, ask("BYE", 5))
        self.assertEqual(self.b.methods(), [])
        self.b.owners.takenUp(key)
        self.assertCountEqual(self.b.methods(), ["INVITE", "INVITE", "BYE"])


class FirstInviteTests(RelayCase):
    """
    The INVITE of a call whose node has died before the peer saw its answer.
    """

    def test_settled(self) -> None:
        """
        As long as no node has died it is a new call.
        """
        self.record(B)
        self.comes(self.a, ask("INVITE", 2, tag=None))
        self.assertEqual((self.a.methods(), self.a.store.calls), (["INVITE"], []))

    def test_saved(self) -> None:
        """
        A copy of one that is in the store waits until the call has been taken over, and so
        does its CANCEL behind it.
        """
        self.record(B)
        self.a.owners.afterDeath = True
        self.a.owners.dead.add(B)
        self.comes(self.a, ask("INVITE", 2, tag=None), ask("CANCEL", 2, tag=None))
        self.assertEqual(self.a.methods(), [])
        self.a.owners.mine.add("call-1")
        self.a.owners.claims[0][1].callback(None)
        self.assertEqual((self.a.methods(), len(self.a.owners.claims)), (["INVITE", "CANCEL"], 1))

    def test_elsewhere(self) -> None:
        """
        The node that has taken the call over has its INVITE, too.  Nothing is
        remembered: what comes next may be another call.
        """
        self.record(C)
        self.c.owners.mine.add("call-1")
        self.a.owners.afterDeath = True
        self.comes(self.a, ask("INVITE", 2, tag=None), ask("INVITE", 2, tag=None))
        self.assertEqual((self.a.methods(), self.c.methods()), ([], ["INVITE", "INVITE"]))
        self.assertEqual(self.a.store.calls.count("listByCallID"), 2)

    def test_notSaved(self) -> None:
        """
        One that is not in the store, as its node was faster dead, is a new call; and so
        is one with another number, and any while the store is away.
        """
        self.a.owners.afterDeath = True
        self.comes(self.a, ask("INVITE", 2, tag=None))
        self.record(B)
        self.comes(self.a, ask("INVITE", 7, tag=None))
        self.a.store.away = True
        self.comes(self.a, ask("INVITE", 2, tag=None))
        self.assertEqual((self.a.methods(), self.a.told()), (["INVITE"] * 3, [False] * 3))
        self.assertEqual(self.a.relay.counters, {})

    def test_otherMethods(self) -> None:
        """
        Other requests outside a dialog are nobody else's.
        """
        self.a.owners.afterDeath = True
        self.comes(self.a, ask("OPTIONS", tag=None), request("ACK"))
        self.assertEqual((self.a.methods(), self.a.store.calls), (["OPTIONS", "ACK"], []))
