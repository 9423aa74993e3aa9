"""
Nodes, their store and SRCs on hosts of their own, and networks that are cut.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define

from siprec.session.manifest import Manifest
from tests.functional.clustercase import DEADLY, ClusterCase
from tests.functional.netns import NamespaceNode, makeNetwork, makeNode, startSource
from tests.functional.node import NeverHappened, Program, eventually, pause, reactor
from tests.functional.redisserver import startServer

_NODES = ("n1", "n2", "n3")
_SOURCES = ("s1", "s2", "s3")
_DRAIN = "[node]\ndrain_timeout = 8\n"


@define(eq=False)
class Source:
    """
    An SRC and its call.
    """

    node: str
    program: Program

    def said(self) -> dict[str, Any]:
        """
        @return: all that it has said so far.
        """
        found: dict[str, Any] = {}
        for line in self.program.output.splitlines():
            found.update(json.loads(line))
        return found


class PartitionCase(ClusterCase):
    """
    Three nodes with one recordings directory, one Redis, and an SRC for each node.
    """

    async def beginApart(self, config: str = "") -> None:
        """
        Start everything but the SRCs.

        @param config: TOML for all nodes.
        """
        self.network = network = makeNetwork(self, *_NODES, "redis", *_SOURCES)
        where, prefix = network.address("redis"), network.prefix("redis")
        self.server = startServer(self, "redis", host=where, prefix=prefix)
        options: tuple[str, ...] = ("--store", self.server.url)
        if config:
            path = os.path.abspath(self.mktemp())
            with open(path, "w", encoding="utf-8") as file:
                file.write(config)
            options = ("--config", path, *options)
        root = os.path.abspath(self.mktemp())
        self.apart: dict[str, NamespaceNode] = {
            name: makeNode(self, network, name, *options, root=root) for name in _NODES
        }
        self.nodes = list(self.apart.values())
        for node in self.nodes:
            await node.start()
        await self.seenByAll(3)

    async def call(self, number: int, seconds: float) -> Source:
        """
        Let an SRC call its node.

        @param number: of both, from 1.
        """
        node = f"n{number}"
        program = startSource(self, self.network, node, str(seconds), source=f"s{number}")
        source = Source(node, program)
        await eventually("the answer", lambda: source.said() or program.status)
        return source

    async def each(self, seconds: float) -> list[Source]:
        """
        @return: a call to each node.
        """
        return [await self.call(number, seconds) for number in (1, 2, 3)]

    def cut(self, *others: str) -> None:
        """
        Cut the first node off from these.
        """
        for other in others:
            self.network.cut("n1", other)

    def heal(self, *others: str) -> None:
        """
        End that.
        """
        for other in others:
            self.network.heal("n1", other)

    async def becomes(
        self, node: str, name: str, right: Callable[[float], bool], patience: float = 20.0
    ) -> float:
        """
        @return: a metric of a node, once it is right.
        """
        end = reactor.seconds() + patience
        while True:
            value = await self.apart[node].metric(name)
            if right(value):
                return value
            if reactor.seconds() > end:
                raise NeverHappened(f"{node}: {name} is {value}")
            await pause(0.2)

    async def event(self, node: str, event: str) -> float:
        """
        @return: how many sessions were claimed, fenced and so on.
        """
        return await self.apart[node].metric(_sessions(event))

    async def claims(self) -> list[float]:
        """
        @return: what each node has claimed.
        """
        return [await self.event(node, "claimed") for node in _NODES]

    async def standing(self, node: str, other: str) -> str | None:
        """
        @return: what one node thinks of another one.
        """
        found = (await self.apart[node].getJSON("/api/nodes"))["nodes"]
        for each in found:
            if each["id"] == other:
                return str(each.get("standing"))
        return None

    async def end(self, sources: Sequence[Source]) -> dict[str, Manifest]:
        """
        Wait until all have hung up.

        @return: the manifests by SRC's node, of the first call of each.
        """
        for each in sources:
            self.assertEqual(await each.program.ended(), 0, each.program.output)
            self.assertEqual(each.said()["bye"], 200)
            self.assertFalse(DEADLY & set(each.said()["statuses"]))
            numbers = [number for method, number in each.said()["asked"] if method != "ACK"]
            self.assertEqual(numbers, sorted(set(numbers)))
        found = await self.finished(len(sources))
        for manifest in found.values():
            self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))
        await self.checkEmptyStore()
        living = [node for node in self.nodes if node.program and node.program.status is None]
        await self.checkErrors(*living)
        return found

    def lost(self, manifest: Manifest, source: Source) -> float:
        """
        @return: seconds of what was sent that are in no journal.
        """
        sent: list[int] = source.said()["sent"]
        counts = zip(sent, manifest["streams"], strict=True)
        return max([0.02 * (count - int(stream["packets"])) for count, stream in counts])

    def stayed(self, found: dict[str, Manifest], source: Source) -> None:
        """
        Nothing has happened to a call.
        """
        manifest = found[source.said()["answered"]]
        self.assertEqual(manifest["nodes"], [source.node])
        self.assertEqual((len(manifest["segments"]), manifest["gaps"]), (1, []))
        self.assertEqual(self.lost(manifest, source), 0.0)
        self.assertEqual(source.said()["asked"], [])

    def moved(self, found: dict[str, Manifest], source: Source, limit: float) -> None:
        """
        A call has gone over to another node, by one re-INVITE.

        @param limit: seconds that may be missing.
        """
        manifest = found[source.said()["answered"]]
        self.assertEqual((manifest["nodes"][0], len(manifest["nodes"])), (source.node, 2))
        self.assertEqual(len(manifest["segments"]), 2)
        asked = [method for method, _ in source.said()["asked"] if method != "ACK"]
        self.assertEqual(asked, ["INVITE"])
        lost = self.lost(manifest, source)
        self.assertLessEqual(lost, limit)
        self.assertLessEqual({gap["cause"] for gap in manifest["gaps"]}, {"nodeChange"})
        print(f"missing: {lost:.2f} s")


class AllButSource(PartitionCase):
    """
    A node that its SRC reaches, and nobody else.
    """

    async def test_moved(self) -> None:
        """
        A node that reaches neither the store nor the others: when its lease ends
        they have its call, by a re-INVITE.  It keeps what comes to it, and asks
        nothing of anybody; healed, it lets go without a word.  Nothing is
        missing, as each packet came to one of the two.
        """
        await self.beginApart()
        sources = await self.each(20.0)
        await pause(1.0)
        self.cut("redis", "n2", "n3")
        await self.becomes("n1", _CUT_OFF, lambda value: value == 1)
        await self.untilClaimedBy("n2", "n3")
        await pause(2.0)
        self.assertEqual(await self.event("n1", "fenced"), 0)
        self.heal("redis", "n2", "n3")
        await self.becomes("n1", _sessions("fenced"), lambda value: value == 1)
        self.assertEqual(await self.apart["n1"].metric("siprec_sessions"), 0)
        await self.seenByAll(3)
        found = await self.end(sources)
        self.moved(found, sources[0], 0.1)
        for each in sources[1:]:
            self.stayed(found, each)
        self.assertEqual(sorted(await self.claims()), [0, 0, 1])

    async def test_stopped(self) -> None:
        """
        A node that is told to end while it is cut off says no BYE: the calls go
        on elsewhere.
        """
        await self.beginApart(_DRAIN)
        sources = await self.each(24.0)
        await pause(1.0)
        self.cut("redis", "n2", "n3")
        program = self.apart["n1"].program
        assert program is not None
        program.signal(signal.SIGTERM)
        await self.untilClaimedBy("n2", "n3")
        await program.ended()
        found = await self.end(sources)
        self.moved(found, sources[0], 0.1)

    async def untilClaimedBy(self, *nodes: str) -> None:
        """
        Wait for these.
        """
        end = reactor.seconds() + 20
        while not sum([await self.event(node, "claimed") for node in nodes]):
            self.assertLess(reactor.seconds(), end)
            await pause(0.2)


class StoreOnly(PartitionCase):
    """
    A node that does not reach the store.
    """

    async def test_isolated(self) -> None:
        """
        The others hear that it lives, and claim nothing; its calls go on, it
        takes new ones, and what is in the store is right when it is back.
        """
        await self.beginApart()
        sources = await self.each(20.0)
        await pause(1.0)
        self.cut("redis")
        for node in ("n2", "n3"):
            name = 'siprec_cluster_nodes{standing="isolated"}'
            await self.becomes(node, name, lambda value: value == 1)
        sources.append(await self.call(1, 14.0))
        await pause(4.0)
        self.assertEqual(self.records(), 3)
        self.assertEqual(await self.apart["n1"].metric(_CUT_OFF), 0)
        self.heal("redis")
        await eventually("its records", lambda: self.owners() == ["n1", "n1", "n2", "n3"])
        await self.seenByAll(3)
        found = await self.end(sources)
        for each in sources:
            self.stayed(found, each)
        self.assertEqual(await self.claims(), [0, 0, 0])

    async def test_oneHears(self) -> None:
        """
        Nor is anything claimed by a node that does not hear it, where another
        one does: that is asked first.
        """
        await self.beginApart()
        sources = await self.each(18.0)
        await pause(1.0)
        self.cut("redis", "n3")
        name = 'siprec_cluster_nodes{standing="isolated"}'
        await self.becomes("n3", name, lambda value: value == 1)
        await pause(5.0)
        self.heal("redis", "n3")
        found = await self.end(sources)
        for each in sources:
            self.stayed(found, each)
        self.assertEqual(await self.claims(), [0, 0, 0])

    async def test_newcomer(self) -> None:
        """
        Nor by a node that begins meanwhile, and has never seen it: it asks the
        others.
        """
        await self.beginApart()
        sources = [await self.call(1, 32.0), await self.call(2, 32.0)]
        await pause(1.0)
        self.cut("redis")
        self.assertEqual(await self.apart["n3"].stop(), 0)
        name = 'siprec_cluster_nodes{standing="isolated"}'
        await self.becomes("n2", name, lambda value: value == 1)
        await self.apart["n3"].start()
        # It looks for calls without a node after six seconds, and each five more.
        await pause(13.0)
        self.assertEqual(await self.claims(), [0, 0, 0])
        self.heal("redis")
        found = await self.end(sources)
        for each in sources:
            self.stayed(found, each)
        self.assertEqual(await self.claims(), [0, 0, 0])

    def owners(self) -> list[str]:
        """
        @return: whose the records in the store are.
        """
        with self.server.client() as client:
            keys = client.keys("{siprec}:session:*")
            return sorted((client.hget(key, "owner") or b"").decode() for key in keys)


class PeersOnly(PartitionCase):
    """
    A node that does not reach the others, but the store.
    """

    async def test_leaseDecides(self) -> None:
        """
        It renews its lease, so it lives: nobody claims anything.
        """
        await self.beginApart()
        sources = await self.each(14.0)
        await pause(1.0)
        self.cut("n2", "n3")
        await self.becomes("n2", _SUSPECTED, lambda value: value >= 1)
        await pause(5.0)
        self.assertEqual(await self.standing("n2", "n1"), "alive")
        self.assertEqual(await self.standing("n1", "n3"), "alive")
        self.heal("n2", "n3")
        found = await self.end(sources)
        for each in sources:
            self.stayed(found, each)
        self.assertEqual(await self.claims(), [0, 0, 0])
        self.assertEqual(await self.apart["n1"].metric(_CUT_OFF), 0)


class Everything(PartitionCase):
    """
    A node that nobody reaches.
    """

    async def test_healed(self) -> None:
        """
        The host falls off the network for ten seconds: its call goes on
        elsewhere, with a gap no longer than it takes to miss it.
        """
        await self.beginApart()
        sources = await self.each(20.0)
        await pause(1.0)
        everybody = ("redis", "n2", "n3", *_SOURCES)
        self.cut(*everybody)
        await pause(10.0)
        self.heal(*everybody)
        await self.becomes("n1", _sessions("fenced"), lambda value: value == 1)
        await self.seenByAll(3)
        found = await self.end(sources)
        self.moved(found, sources[0], 4.0)
        for each in sources[1:]:
            self.stayed(found, each)
        self.assertEqual(sorted(await self.claims()), [0, 0, 1])


_CUT_OFF = 'siprec_cluster_events_total{event="cutOff"}'
_SUSPECTED = 'siprec_cluster_events_total{event="suspected"}'


def _sessions(event: str) -> str:
    return f'siprec_cluster_sessions_total{{event="{event}"}}'


__all__ = ["AllButSource", "Everything", "PeersOnly", "StoreOnly"]
