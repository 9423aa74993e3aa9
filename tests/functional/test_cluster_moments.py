"""
A node that dies between what it promises and what the peer has of that, while
another one lives: that one answers the peer's copies, at the address they go to.
"""

from __future__ import annotations

import os

from attrs import define, field

from tests.functional.node import NodeProcess, eventually, pause
from tests.functional.redisserver import Server, startServer
from tests.functional.storerelay import StoreRelay
from tests.functional.test_state_answers import AnswersTests as _AnswersTests
from tests.functional.wire import Wire, multipart

_CLAIMED = 'siprec_cluster_sessions_total{event="claimed"}'


@define(eq=False)
class Mortal(NodeProcess):
    """
    A node that is not started a second time: its heir takes its place.
    """

    heir: NodeProcess = field(kw_only=True)

    async def start(self) -> None:
        """
        Start both; the second time, wait for the heir.
        """
        if self.program is None:
            await self.heir.start()
            await super().start()
            while len((await self.heir.getJSON("/api/nodes"))["nodes"]) < 2:
                await pause(0.1)
            return
        self.http = self.heir.http
        while not await self.heir.metric(_CLAIMED):
            await pause(0.05)


class MomentTests(_AnswersTests):
    """
    All that is promised by a node is kept by the one that survives it.
    """

    ports = "33800-33899"

    async def begin(self) -> Wire:
        """
        Start everything.
        """
        self.server: Server = startServer(self, "redis")
        self.relay = StoreRelay(self.server.port)
        self.addCleanup(self.relay.close)
        root = os.path.abspath(self.mktemp())
        heir = NodeProcess(
            root,
            rtp="33900-33999",
            nodeID="heir",
            options=(*self.options(), "--store", self.server.url),
        )
        self.node = Mortal(root, rtp=self.ports, options=self.options(), heir=heir)
        for each in (self.node, heir):
            self.addCleanup(each.kill)
        await self.node.start()
        wire = Wire(self.node.sip)
        wire.open()
        self.addCleanup(wire.close)
        return wire

    async def byeAgain(self, wire: Wire, bye: bytes, answer: bytes) -> None:
        """
        Send a BYE again: it gets the same 200, and the recording is finished
        once, by the heir.
        """
        before = len(wire.responses("one", "BYE"))
        for count in (1, 2):
            wire.send(bye)
            found = await self.copies(wire, "BYE", 2, before + count)
            self.assertEqual(set(found), {answer})
        [manifest] = await self.node.finished()
        self.assertEqual(manifest["endReason"], "bye")
        self.assertEqual([each["type"] for each in manifest["events"]].count("bye"), 1)
        self.assertEqual(len(manifest["segments"]), 1)
        self.assertEqual(await self.node.metric('siprec_renders_total{result="ok"}'), 1)
        await eventually("an empty store", lambda: self.snapshot() is None)

    async def test_neverSaved(self) -> None:
        """
        Killed before anything of an INVITE was saved: its copy is a new call,
        for the heir.
        """
        wire = await self.begin()
        await self.node.kill()
        invite = wire.request("INVITE", "one", body=multipart())

        def again() -> bool:
            wire.send(invite)
            return bool(wire.responses("one", "INVITE", 200))

        await eventually("an answer", again, interval=0.5)
        tag = (await wire.answer("one", "INVITE", 200)).toTag
        wire.send(wire.request("ACK", "one", toTag=tag, branch="z9hG4bKack"))
        await wire.hangUp("one", tag, 2)
        [manifest] = await self.node.finished()
        self.assertEqual((manifest["state"], manifest["nodes"]), ("complete", ["heir"]))


del _AnswersTests
__all__ = ["MomentTests"]
