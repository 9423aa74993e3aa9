"""
C{python -m tests.functional.chaos [--minutes N] [--seed N] [--calls N] [--ways WAYS]}:
random kills, freezes, drains and restarts of the store while calls run, and then a
look whether anything was lost that is not excused by one of those.

The same seed brings the same disasters in the same order; what the calls are doing
at each moment is another matter.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from random import Random
from statistics import quantiles

from attrs import frozen
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall
from twisted.trial.reporter import VerboseTextReporter
from twisted.trial.runner import TrialRunner

from siprec.session.manifest import Manifest
from siprec.sip.errors import SipError
from siprec.testing.call import CallFailed, RecordingCall
from siprec.testing.voice import ANN
from siprec.testing.wire import Law, encodeG711
from tests.functional.chaoschecks import Checks, Past, Sample
from tests.functional.chaosplan import Disaster, Hit, makePlan
from tests.functional.clustercase import ClusterCase
from tests.functional.node import NeverHappened, NodeProcess, lastingSipPort, pause, reactor

__all__ = ["ChaosCase", "ChaosOptions"]

_TROUBLE = "Traceback (most recent call last)"

# Growth that is none: of resident memory in MiB, and of file descriptors.
_MEMORY, _DESCRIPTORS = 40.0, 12


@frozen
class ChaosOptions:
    """
    How long, how bad, how much.

    @ivar seconds: for which disasters begin.
    @ivar calls: how many run at a time.
    @ivar ways: C{cluster.media_takeover}.
    @ivar lasts: shortest and longest call, in seconds.
    """

    seconds: float = 600.0
    seed: int = 1
    calls: int = 50
    ways: str = "address,reinvite"
    lasts: tuple[float, float] = (30.0, 90.0)


class ChaosCase(ClusterCase):
    """
    Three nodes, some calls, and what happens to them.
    """

    firstPort = 16000
    maxDiff = None
    options = ChaosOptions()

    def sipPort(self) -> int:
        """
        A node that is away for a while has to find its port when it is back.
        """
        return lastingSipPort(31000, 32699)

    async def chaos(self) -> None:
        """
        Run it all.
        """
        options = self.options
        names = ("n1", "n2", "n3")
        self.spared, plan = makePlan(options.seed, names, int(options.seconds / 3) + 1)
        print(f"\nseed {options.seed}, {options.calls} calls, {self.spared} is never killed")
        await self.begin(3, config=f'[cluster]\nmedia_takeover = "{options.ways}"\n')
        self.byName = dict(zip(names, self.nodes, strict=True))
        self.programs = [node.program for node in self.nodes if node.program]
        self.able = set(names)
        self.hits: list[Hit] = []
        self.past: list[Past] = []
        self.failed: Counter[str] = Counter()
        self.noted: Counter[str] = Counter()
        self.late: list[float] = []
        self.samples: list[Sample] = [self._sample()]
        self.payload = encodeG711(ANN.speak(options.lasts[1]), Law.MU)
        self.over = False
        watching = LoopingCall(self._watch)
        self.addCleanup(_stop, watching)
        self.watched = reactor.seconds()
        watching.start(0.1)
        workers = [Deferred.fromCoroutine(self._work(each)) for each in range(options.calls)]
        await pause(10.0)
        self.samples.append(self._sample())
        await self._disasters(plan)
        self.over = True
        await gatherResults(workers)
        _stop(watching)
        await self._check()

    # The calls.

    async def _work(self, number: int) -> None:
        """
        One call after the other.
        """
        chance = Random(f"{self.options.seed}-{number}")
        await pause(chance.uniform(0, 5))
        while not self.over:
            seconds = chance.uniform(*self.options.lasts)
            index = chance.randrange(3)
            if self.nodes[index].nodeID not in self.able:
                await pause(0.2)
                continue
            client = self.clients[index]
            try:
                call = await client.invite()
            except (CallFailed, SipError) as error:
                self.noted[f"INVITE: {error}"] += 1
                await pause(0.5)
                continue
            payload = self.payload[: int(seconds * 8000)]
            await call.play([payload, payload])
            answer = await self._hangUp(call)
            self.past.append(Past.of(call, answer, reactor.seconds()))
            client.calls.remove(call)
            call.close()

    async def _hangUp(self, call: RecordingCall) -> int:
        """
        @return: the answer to its BYE; 0: none.
        """
        for _ in range(5):
            try:
                response = await call.bye()
            except SipError:
                return 0
            after = response.headers.get("Retry-After")
            if response.status != 500 or after is None:
                break
            # It is not known now where the call is; that is no end of it.
            self.noted["BYE put off"] += 1
            await pause(float(after))
        if response.status != 200:
            why = response.headers.get("Warning") or "no Warning"
            print(f"BYE of {call.callID}: {response.status}, {why}", flush=True)
        return response.status

    # What happens to them.

    async def _disasters(self, plan: list[Disaster]) -> None:
        began = reactor.seconds()
        for each in plan:
            if reactor.seconds() - began >= self.options.seconds:
                break
            print(f"{reactor.seconds() - began:6.1f} s: {each}", flush=True)
            await getattr(self, f"_{each.kind}")(each)
            await self._settled()
            self.able = set(self.byName)
            self.samples.append(self._sample())
            await pause(each.quiet)

    async def _kill(self, disaster: Disaster) -> None:
        await self._killOne(disaster.nodes[0], disaster.lasts)

    async def _killOne(self, name: str, lasts: float) -> None:
        node = self.byName[name]
        self.able.discard(name)
        begin = reactor.seconds()
        await node.kill()
        self.hits.append(Hit("kill", name, begin, reactor.seconds()))
        await pause(lasts)
        await self._startAgain(node)

    async def _freeze(self, disaster: Disaster) -> None:
        await self._freezeOne(disaster.nodes[0], disaster.lasts)

    async def _freezeOne(self, name: str, lasts: float) -> None:
        self.able.discard(name)
        begin = reactor.seconds()
        self.freeze(self.byName[name])
        await pause(lasts)
        self.freeze(self.byName[name], thaw=True)
        self.hits.append(Hit("freeze", name, begin, reactor.seconds()))

    async def _pair(self, disaster: Disaster) -> None:
        killed, silent = disaster.nodes
        both = (
            self._killOne(killed, disaster.lasts / 2),
            self._freezeOne(silent, disaster.lasts),
        )
        await gatherResults([Deferred.fromCoroutine(each) for each in both])

    async def _redis(self, disaster: Disaster) -> None:
        self.server.kill()
        await pause(disaster.lasts)
        self.server.start()

    async def _drain(self, disaster: Disaster) -> None:
        [name] = disaster.nodes
        node = self.byName[name]
        self.able.discard(name)
        status = await node.stop()
        if status:
            self.failed[f"exit status {status} of a drained node"] += 1
        await pause(disaster.lasts)
        await self._startAgain(node)

    async def _startAgain(self, node: NodeProcess) -> None:
        await node.start()
        assert node.program is not None
        self.programs.append(node.program)

    async def _settled(self) -> None:
        """
        Wait until all nodes have the store, and see each other.
        """
        end = reactor.seconds() + 60
        while not await self._isSettled():
            if reactor.seconds() > end:
                raise NeverHappened("all nodes at work again")
            await pause(0.2)

    async def _isSettled(self) -> bool:
        for node in self.nodes:
            away = await node.metric("siprec_store_away")
            waiting = await node.metric("siprec_store_waiting")
            found = (await node.getJSON("/api/nodes"))["nodes"]
            alive = [each for each in found if each["standing"] == "alive"]
            if away or waiting > 3 or len(alive) != 3:
                return False
        return True

    # What is seen meanwhile.

    def _watch(self) -> None:
        now = reactor.seconds()
        self.late.append(max(0.0, now - self.watched - 0.1))
        self.watched = now

    def _sample(self) -> Sample:
        program = self.byName[self.spared].program
        assert program is not None
        return Sample.of(program)

    # What must be so at the end.

    async def _check(self) -> None:
        known = {each.callID for each in self.past}
        found = await self._final(known)
        checks = Checks(self.nodes[0].root, self.hits, Counter(self.failed))
        for each in self.past:
            checks.call(each, found.get(each.callID, []))
        await self._checkNodes(checks.problems)
        self._report(found, checks.gone)
        if checks.problems:
            self._keepLogs()
        self.assertEqual(dict(checks.problems), {})

    async def _final(self, known: set[str]) -> dict[str, list[Manifest]]:
        """
        @return: the manifests of each call, once all of them are final.
        """
        end = reactor.seconds() + 120
        while True:
            manifests = [each for each in self.recordings() if each["callID"] in known]
            states = Counter(each["state"] for each in manifests)
            if not states.keys() - {"complete", "incomplete"} or reactor.seconds() > end:
                break
            await pause(1.0)
        found: dict[str, list[Manifest]] = {}
        for each in manifests:
            found.setdefault(each["callID"], []).append(each)
        return found

    async def _checkNodes(self, problems: Counter[str]) -> None:
        await pause(1.0)
        self.samples.append(self._sample())
        if self.records():
            problems[f"{self.records()} sessions left in the store"] += 1
        for node in self.nodes:
            errors = await node.metric("siprec_unhandled_errors_total")
            if errors:
                problems[f"{node.nodeID}: {errors:.0f} unhandled errors"] += 1
            if await node.metric("siprec_sessions"):
                problems[f"{node.nodeID}: sessions left"] += 1
        traces = sum(each.output.count(_TROUBLE) for each in self.programs)
        if traces:
            problems[f"{traces} tracebacks in the logs"] += 1
        if any(client.strangers for client in self.clients):
            problems["requests for calls that are over"] += 1
        self._checkGrowth(problems)

    def _checkGrowth(self, problems: Counter[str]) -> None:
        first, *rest = self.samples
        last = rest[-1]
        if last.descriptors > first.descriptors + _DESCRIPTORS:
            problems[f"file descriptors grew from {first.descriptors} to {last.descriptors}"] += 1
        # After a third of the time it has seen as many calls at once as it will.
        warm = max(each.memory for each in rest[: len(rest) // 3 + 1])
        if last.memory > warm + _MEMORY:
            problems[f"memory grew from {warm:.0f} MiB to {last.memory:.0f} MiB"] += 1

    def _keepLogs(self) -> None:
        for number, each in enumerate(self.programs):
            with open(f"chaos-{number}.log", "w", encoding="utf-8") as file:
                file.write(each.output)

    def _report(self, found: dict[str, list[Manifest]], gone: Counter[str]) -> None:
        segments = Counter(
            len(each["segments"]) for manifests in found.values() for each in manifests
        )
        late = quantiles(self.late, n=100)[98] if len(self.late) > 1 else 0.0
        print(f"{len(self.past)} calls, {len(self.hits)} hits on nodes")
        print(f"segments of a recording: {dict(sorted(segments.items()))}")
        print(f"packets: {dict(gone)}\nnoted: {dict(self.noted)}")
        print(f"the test itself was late by {late:.3f} s (p99), {max(self.late):.3f} s (most)")
        memory = ", ".join(f"{each.memory:.0f}" for each in self.samples)
        descriptors = ", ".join(str(each.descriptors) for each in self.samples)
        print(f"memory of {self.spared} in MiB: {memory}\nits descriptors: {descriptors}")


def _stop(loop: LoopingCall) -> None:
    if loop.running:
        loop.stop()


def main(arguments: list[str]) -> int:
    """
    @return: the exit status: 0 if nothing was lost.
    """
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--calls", type=int, default=50, help="at a time")
    parser.add_argument("--ways", default="address,reinvite", help="cluster.media_takeover")
    given = parser.parse_args(arguments)

    class Chaos(ChaosCase):
        options = ChaosOptions(60 * given.minutes, given.seed, given.calls, given.ways)
        timeout = 60 * given.minutes + 900

        async def test_chaos(self) -> None:
            """
            Nothing is lost but what is excused.
            """
            await self.chaos()

    result = TrialRunner(VerboseTextReporter, workingDirectory="_trial_temp-chaos").run(
        Chaos("test_chaos")
    )
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
