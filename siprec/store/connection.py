"""
A connection to a Redis server that comes back by itself.

Twisted's C{ClientService} cannot be used: a connection that is lost while it is
being prepared (wrong password, a replica in the master's place) is an input
that its machine has no transition for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred, FirstError, fail, gatherResults
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.store.errors import StoreUnavailable
from siprec.store.redisclient import ConnectionGone, RedisClient, Refused
from siprec.store.scripts import Script

__all__ = ["Entry", "RedisConnection"]

log = Logger()

#: Seconds until the first try after a connection was lost, and the longest
#: pause between two; each is twice the one before.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
#: Longest time that one try may take, all Sentinels included.
LONGEST_TRY = 5.0

#: Refusals that a healthy master does not give; another may be in its place.
_NOT_MASTER = frozenset({"READONLY", "MASTERDOWN", "LOADING", "NOREPLICAS"})

#: How to get in: gives C{(user, password, database)}, asked for each connection,
#: so that a password that was changed is seen.
Entry = Callable[[], tuple[str | None, str | None, int]]


class RedisConnection:
    """
    Runs scripts at a server, which may be away.

    It connects when it is first needed.  While it connects, calls wait; where
    the last try failed they fail at once, so that nobody waits for a server
    that is known to be down.

    @ivar timeout: longest wait for one call, in seconds.
    @ivar counters: of C{connections}, C{failures} to connect, C{losses},
        C{timeouts} and C{reloads} of scripts.
    """

    def __init__(
        self,
        clock: IReactorTime,
        endpoint: IStreamClientEndpoint,
        scripts: Mapping[str, Script],
        timeout: float,
        *,
        name: str = "Redis",
        entry: Entry = lambda: (None, None, 0),
        masterOnly: bool = False,
    ) -> None:
        """
        @param name: of the server, for people.
        @param masterOnly: refuse a server that says it is a replica.
        """
        self.timeout = timeout
        self.counters: Counter[str] = Counter()
        self._clock = clock
        self._endpoint = endpoint
        self._scripts = scripts
        self._name = name
        self._entry = entry
        self._masterOnly = masterOnly
        self._client: RedisClient | None = None
        self._trying: Deferred[RedisClient] | None = None
        self._retry: IDelayedCall | None = None
        self._pause = FIRST_PAUSE
        self._refusal: str | None = None
        self._waiting: list[Deferred[RedisClient]] = []
        self._closing: Deferred[None] | None = None

    @property
    def connected(self) -> bool:
        """
        Whether there is a connection that is ready for use.
        """
        return self._client is not None

    def run(self, name: str, *words: bytes | str | int) -> Deferred[Any]:
        """
        Run a script.

        @param name: one of L{siprec.store.scripts.NAMES}.
        @param words: its arguments.
        @return: fires with what it returns, or fails with L{StoreUnavailable},
            after C{timeout} seconds at the latest.
        """
        script = self._scripts[name]
        client = self._client
        answer: Deferred[Any]
        if client is not None:
            answer = self._send(client, script, words)
        else:
            answer = self._ready().addCallback(self._send, script, words)
        return answer.addTimeout(self.timeout, self._clock, self._timedOut)

    def close(self) -> Deferred[None]:
        """
        Let go of the connection, after what was sent has gone out, and of all
        timers.  Calls under way fail.

        @return: fires with C{None} when it is closed.
        """
        if self._closing is None:
            self._closing = Deferred()
            client, self._client = self._client, None
            if self._retry is not None:
                self._retry.cancel()
            if self._trying is not None:
                self._trying.cancel()
            self._giveUp(f"{self._name}: the store is closed")
            if client is None:
                self._closing.callback(None)
            else:
                late = self._clock.callLater(self.timeout, client.abort)
                self._closing.addCallback(lambda _: late.cancel() if late.active() else None)
                client.close()
        closed: Deferred[None] = Deferred()
        self._closing.addCallback(lambda _: closed.callback(None))
        return closed

    def _ready(self) -> Deferred[RedisClient]:
        """
        @return: fires with a connection, once there is one.
        """
        if self._refusal is not None:
            return fail(StoreUnavailable(self._refusal))
        waiting: Deferred[RedisClient] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        if self._trying is None and self._retry is None:
            self._try()
        return waiting

    def _send(
        self, client: RedisClient, script: Script, words: Sequence[bytes | str | int]
    ) -> Deferred[Any]:
        answers = client.answers

        def failed(failure: Failure) -> Any:
            why = failure.value
            if isinstance(why, Refused) and why.code == "NOSCRIPT":
                # The server was started again, or its scripts were flushed.
                self.counters["reloads"] += 1
                load = client.command("SCRIPT", "LOAD", script.source)
                load.addCallback(lambda _: client.command("EVALSHA", script.digest, 0, *words))
                return load.addErrback(self._failed, client, answers)
            return self._failed(failure, client, answers)

        return client.command("EVALSHA", script.digest, 0, *words).addErrback(failed)

    def _failed(self, failure: Failure, client: RedisClient, answers: int) -> Failure:
        """
        @param answers: how many the connection had given when the call began.
        """
        why = failure.value
        if isinstance(why, Refused):
            if why.code in _NOT_MASTER:
                client.abort()
            return Failure(StoreUnavailable(f"{self._name}: {why}"))
        if isinstance(why, ConnectionGone):
            return Failure(StoreUnavailable(f"{self._name}: connection lost"))
        if isinstance(why, CancelledError) and client.answers == answers:
            # Answers come in order, so nobody else gets one from it either:
            # its host is gone without a word, or it hangs.
            client.abort()
        return failure

    def _timedOut(self, outcome: object, seconds: float) -> object:
        """
        What C{addTimeout} makes of a call that it has cancelled.
        """
        if isinstance(outcome, Failure) and outcome.check(CancelledError):
            self.counters["timeouts"] += 1
            raise StoreUnavailable(f"{self._name}: no answer within {seconds:g} s")
        return outcome

    def _try(self) -> None:
        self._retry = None
        attempt = Deferred.fromCoroutine(self._connect())
        self._trying = attempt
        attempt.addTimeout(LONGEST_TRY, self._clock, _tookTooLong)
        attempt.addCallbacks(self._use, self._tryFailed)

    async def _connect(self) -> RedisClient:
        client: Any = await self._endpoint.connect(Factory.forProtocol(RedisClient))
        try:
            await self._prepare(client)
        except BaseException:  # a try that is cancelled, too
            client.abort()
            raise
        return cast(RedisClient, client)

    async def _prepare(self, client: RedisClient) -> None:
        user, password, database = self._entry()
        if password is not None:
            await client.command("AUTH", *([user] if user else []), password)
        if database:
            await client.command("SELECT", database)
        if self._masterOnly:
            role = (await client.command("ROLE"))[0]
            if role != b"master":
                raise ConnectError(string=f"it is a {role.decode('ascii', 'replace')}")
        loads = [client.command("SCRIPT", "LOAD", each.source) for each in self._scripts.values()]
        await gatherResults(loads, consumeErrors=True)

    def _use(self, client: RedisClient) -> None:
        self._trying = None
        self.counters["connections"] += 1
        log.info("{name}: connected", name=self._name)
        self._client, self._refusal, self._pause = client, None, FIRST_PAUSE
        client.onLost(self._lost)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(client)

    def _tryFailed(self, failure: Failure) -> None:
        self._trying = None
        if self._closing is not None:
            return
        self.counters["failures"] += 1
        why = failure.value
        refused = why.subFailure.value if isinstance(why, FirstError) else why
        reason = f"{self._name}: cannot connect: {str(refused) or type(refused).__name__}"
        if reason != self._refusal:
            log.warn("{reason}", reason=reason)
        self._later()
        self._giveUp(reason)

    def _lost(self) -> None:
        self._client = None
        if self._closing is not None:
            self._closing.callback(None)
            return
        self.counters["losses"] += 1
        log.warn("{name}: connection lost", name=self._name)
        self._later()

    def _later(self) -> None:
        self._retry = self._clock.callLater(self._pause, self._try)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _giveUp(self, reason: str) -> None:
        """
        Let those who wait, and who come until the next success, fail.
        """
        self._refusal = reason
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.errback(StoreUnavailable(reason))


def _tookTooLong(outcome: object, seconds: float) -> object:
    if isinstance(outcome, Failure) and outcome.check(CancelledError):
        raise ConnectError(string=f"not ready after {seconds:g} s")
    return outcome
