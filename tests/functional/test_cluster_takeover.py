"""
Nodes that die, and calls that do not.
"""

from __future__ import annotations

import os

from tests.functional.clustercase import ClusterCase, Watched
from tests.functional.node import pause
from tests.store.certificates import makeCertificates

REINVITE = '[cluster]\nmedia_takeover = "reinvite"\n'

# Calls in the large tests; the figures in the documentation are of 200.
_CALLS = int(os.environ.get("SIPREC_CLUSTER_CALLS", "60"))


class TakeoverCase(ClusterCase):
    """
    Three nodes with calls.
    """

    async def third(self, calls: int, seconds: float) -> list[Watched]:
        """
        Make so many calls in all, a third of them to each node.
        """
        found: list[Watched] = []
        for node in range(3):
            found += await self.calls(node, calls // 3, seconds)
        return found

    def ofDead(self, calls: list[Watched]) -> list[Watched]:
        """
        @return: the calls to the first node, which is the one that dies.
        """
        return [each for each in calls if each.node == 0]

    async def claimed(self) -> float:
        """
        @return: how many sessions the survivors have claimed.
        """
        name = 'siprec_cluster_sessions_total{event="claimed"}'
        return sum([await node.metric(name) for node in self.nodes[1:]])


class CrashTests(TakeoverCase):
    """
    A process that is gone.
    """

    firstPort = 40000

    async def test_byAddress(self) -> None:
        """
        Of three nodes one is killed in mid-call: all its calls go on at the
        others, each ends as one complete recording of which less than a second
        is missing, no session is claimed twice, and the peers notice nothing.
        """
        await self.begin(3)
        calls = await self.third(_CALLS, 8.0 + 0.06 * _CALLS)
        await pause(2.0)
        await self.nodes[0].kill()
        await pause(3.0)
        self.assertEqual(await self.claimed(), _CALLS // 3)
        await self.hangUp(calls)
        manifests = await self.finished(len(calls))
        gaps = self.checkRecordings(manifests, self.ofDead(calls), 1.0)
        print(f"missing by address: median {gaps[len(gaps) // 2]:.2f} s, most {gaps[-1]:.2f} s")
        self.checkSignalling(calls)
        self.assertEqual({method for each in calls for method in _asked(each)}, set())
        await self.checkEmptyStore()
        await self.checkErrors(*self.nodes[1:])

    async def test_byReinvite(self) -> None:
        """
        The same where media can only be taken by a re-INVITE: each peer gets
        one, with our Contact and a higher CSeq, and sends elsewhere.
        """
        await self.begin(3, config=REINVITE)
        calls = await self.third(_CALLS, 8.0 + 0.06 * _CALLS)
        await pause(2.0)
        await self.nodes[0].kill()
        await self.hangUp(calls)
        manifests = await self.finished(len(calls))
        gaps = self.checkRecordings(manifests, self.ofDead(calls), 1.0)
        print(f"missing by re-INVITE: median {gaps[len(gaps) // 2]:.2f} s, most {gaps[-1]:.2f} s")
        self.checkSignalling(calls)
        for each in self.ofDead(calls):
            self.assertEqual(_asked(each), ["INVITE"])
            [request] = [one for one in each.call.requests if one.method == "INVITE"]
            self.assertIn("+sip.srs", request.headers.get("Contact") or "")
            self.assertGreater(request.cseq.number, 100)
        await self.checkEmptyStore()
        await self.checkErrors(*self.nodes[1:])

    async def test_backAgain(self) -> None:
        """
        A node that comes back under its NodeID has its addresses again, takes
        no call that goes on elsewhere, and passes on what is said in those.
        """
        await self.begin(2)
        calls = await self.calls(0, 5, 8.0)
        await pause(1.5)
        await self.nodes[0].kill()
        await pause(1.0)
        await self.nodes[0].start()
        await self.seenByAll(2)
        more = await self.calls(0, 2, 2.0)
        for each in calls:
            self.assertEqual((await each.call.update()).status, 200)
        await self.hangUp([*calls, *more])
        manifests = await self.finished(7)
        self.checkRecordings(manifests, calls, 1.0)
        for each in more:
            self.assertEqual(manifests[each.call.callID]["nodes"], ["n1"])
        await self.checkEmptyStore()
        await self.checkErrors(*self.nodes)

    async def test_secured(self) -> None:
        """
        The same where nodes have a secret and certificates.
        """
        folder = os.path.abspath(self.mktemp())
        os.makedirs(folder)
        makeCertificates(folder)
        with open(f"{folder}/secret", "w", encoding="ascii") as file:
            file.write("one that all nodes share\n")
        files = (
            *(("secret_file", "secret"), ("tls_certificate", "server.pem")),
            *(("tls_key", "server.key"), ("tls_ca", "ca.pem")),
        )
        lines = [f'{key} = "{folder}/{name}"' for key, name in files]
        await self.begin(2, config="\n".join(["[cluster]", *lines]))
        calls = await self.calls(0, 2, 5.0)
        await pause(1.5)
        await self.nodes[0].kill()
        await self.hangUp(calls)
        self.checkRecordings(await self.finished(2), calls, 1.0)
        await self.checkErrors(self.nodes[1])


class FreezeTests(TakeoverCase):
    """
    A process that gets no turn for a while.
    """

    firstPort = 43000

    async def test_frozen(self) -> None:
        """
        A node that is frozen is dead when its lease ends: its calls go on at
        the others.  When it wakes up it says nothing to any peer, and writes
        nothing into the store.
        """
        await self.begin(3)
        calls = await self.third(_CALLS // 2, 24.0)
        frozen = self.ofDead(calls)
        await pause(2.0)
        self.freeze(self.nodes[0])
        await pause(18.0)
        asked = {each.call.callID: len(each.call.requests) for each in frozen}
        versions = self.versions()
        self.freeze(self.nodes[0], thaw=True)
        await pause(2.0)
        for each in frozen:
            self.assertEqual(len(each.call.requests), asked[each.call.callID])
        self.assertEqual(self.versions(), versions)
        await self.hangUp(calls)
        manifests = await self.finished(len(calls))
        gaps = self.checkRecordings(manifests, frozen, 3.5)
        print(f"missing, frozen: median {gaps[len(gaps) // 2]:.2f} s, most {gaps[-1]:.2f} s")
        self.checkSignalling(calls)
        await self.checkEmptyStore()
        await self.checkErrors(*self.nodes)

    def versions(self) -> dict[bytes, list[bytes | None]]:
        """
        @return: owner, version and epoch of each record.
        """
        with self.server.client() as client:
            keys = client.keys("{siprec}:session:*")
            return {key: client.hmget(key, "owner", "version", "epoch") for key in keys}


def _asked(watched: Watched) -> list[str]:
    return [each.method for each in watched.call.requests if each.method != "ACK"]


__all__ = ["CrashTests", "FreezeTests"]
