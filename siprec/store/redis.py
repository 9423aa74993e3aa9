"""
Sessions in a Redis server (or Valkey), which all nodes share.

What lies where is told in C{scripts/common.lua}.  Each operation is one script
and so one command, atomic, and costs what it is asked for: nothing ever walks
the key space.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

import siprec.store.adapter  # noqa: F401 - so that ISnapshotStore(store) works
from siprec.ids import NodeID
from siprec.session.model import Claimed, NodeLease, SessionData
from siprec.store.answers import Answer, checked, fromBytes, holder, leases, record, toBytes
from siprec.store.claiming import checkClaim, claimedRecords
from siprec.store.codec import SCHEMA, encode, encodeLease
from siprec.store.connection import RedisConnection
from siprec.store.errors import LeaseHeld
from siprec.store.interfaces import ISessionStore, SessionIDs
from siprec.store.links import callLink, communicationLink, correlationLink, packedLinks
from siprec.store.redisurl import RedisURL, parseRedisURL, withPasswordFile
from siprec.store.scripts import loadScripts
from siprec.store.sentinel import makeEndpoint

__all__ = ["RedisSessionStore", "openRedisStore"]

log = Logger()

#: Ids that one script lists, in a few milliseconds at most.
PAGE = 500

#: Records or entries that one script of L{RedisSessionStore.cleanup} takes, at
#: a fraction of a millisecond; and how many entries are audited at most.
BATCH = 100
AUDITED = 2000


def openRedisStore(
    reactor: Any,
    url: str,
    nodeID: NodeID,
    *,
    timeout: float = 2.0,
    prefix: str = "siprec:",
    passwordFile: str | None = None,
) -> RedisSessionStore:
    """
    Make the store of an address; it connects when it is first asked.

    @param url: see L{parseRedisURL}.
    @param timeout: longest wait for one call, in seconds.
    @param prefix: of every key.
    @param passwordFile: see L{withPasswordFile}; it is read for each
        connection, so that the password can be changed while we run.
    @raise ValueError: the address or a file is not as it should be.
    @raise OSError: a file cannot be read.
    """
    address = parseRedisURL(url)

    def entry() -> tuple[str | None, str | None, int]:
        known: RedisURL = address
        if passwordFile is not None:
            known = withPasswordFile(address, passwordFile)
        return known.user, known.password, known.database

    entry()
    connection = RedisConnection(
        reactor,
        makeEndpoint(reactor, address),
        loadScripts(),
        timeout,
        name=str(address),
        entry=entry,
        masterOnly=address.master is not None,
    )
    return RedisSessionStore(connection, nodeID, reactor, prefix)


@implementer(ISessionStore)
class RedisSessionStore:
    """
    See L{ISessionStore}.

    @ivar nodeID: the node that uses it.
    """

    def __init__(
        self,
        connection: RedisConnection,
        nodeID: NodeID,
        clock: IReactorTime,
        prefix: str = "siprec:",
    ) -> None:
        """
        @param prefix: of every key.  Unless it has one, it becomes a hash tag
            (C{{siprec}:}), so that all keys are in one slot of a cluster, as
            scripts need them to be.
        """
        self.nodeID = nodeID
        self._connection = connection
        self._clock = clock
        if "{" not in prefix:
            prefix = f"{{{prefix.rstrip(':')}}}:"
        self._prefix = toBytes(prefix)
        self._audited = 0

    @property
    def timeout(self) -> float:
        """
        See L{ISessionStore}.
        """
        return self._connection.timeout

    def store(self, data: SessionData, ttl: float) -> Deferred[SessionData]:
        """
        See L{ISessionStore.store}.
        """
        return self._write("store", evolve(data, version=1, epoch=1), ttl, expected=0)

    def get(self, sessionID: str) -> Deferred[SessionData]:
        """
        See L{ISessionStore.get}.
        """
        return self._run("get", sessionID).addCallback(record, sessionID)

    def update(self, data: SessionData, ttl: float) -> Deferred[SessionData]:
        """
        See L{ISessionStore.update}.
        """
        return self._write("update", data, ttl, data.version, data.epoch, expected=data.version)

    def replicate(self, data: SessionData, ttl: float) -> Deferred[bool]:
        """
        See L{ISessionStore.replicate}.
        """
        written = self._write("replicate", data, ttl, data.version, data.epoch)
        return written.addCallback(lambda stored: stored is not None)

    def delete(
        self, sessionID: str, epoch: int | None = None, remember: float = 0.0
    ) -> Deferred[bool]:
        """
        See L{ISessionStore.delete}.
        """
        fence = "" if epoch is None else epoch
        answer = self._run("delete", sessionID, fence, max(0, round(remember * 1000)))
        return answer.addCallback(lambda found: bool(checked(found, sessionID)[1]))

    def exists(self, sessionID: str) -> Deferred[bool]:
        """
        See L{ISessionStore.exists}.
        """
        return self._run("exists", sessionID).addCallback(lambda found: bool(found[1]))

    def extend(self, sessionID: str, ttl: float, epoch: int) -> Deferred[None]:
        """
        See L{ISessionStore.extend}.
        """
        if not ttl > 0:
            return fail(_notPositive(ttl))
        answer = self._run("extend", sessionID, _milliseconds(ttl), epoch)
        return answer.addCallback(checked, sessionID).addCallback(lambda _: None)

    def claim(self, sessionID: str, node: NodeID, epoch: int) -> Deferred[SessionData]:
        """
        See L{ISessionStore.claim}.
        """
        return self._run("claim", sessionID, node, epoch).addCallback(record, sessionID)

    def owners(self) -> Deferred[dict[NodeID, int]]:
        """
        See L{ISessionStore.owners}.
        """
        return self._run("owners").addCallback(
            lambda answer: {NodeID(fromBytes(name)): count for name, count in answer}
        )

    def claimFrom(
        self, owner: NodeID, node: NodeID, limit: int, instance: str = ""
    ) -> Deferred[Claimed]:
        """
        See L{ISessionStore.claimFrom}.  Where some hundred records on the way
        cannot be read, it is a script for each such part of the way.
        """
        return Deferred.fromCoroutine(self._claimFrom(owner, node, limit, instance))

    def listByCallID(self, callID: str) -> Deferred[SessionIDs]:
        """
        See L{ISessionStore.listByCallID}.
        """
        return self._listed(callLink(callID))

    def listBySession(self, communicationSessionID: str) -> Deferred[SessionIDs]:
        """
        See L{ISessionStore.listBySession}.
        """
        return self._listed(communicationLink(communicationSessionID))

    def listByCorrelation(self, key: str) -> Deferred[SessionIDs]:
        """
        See L{ISessionStore.listByCorrelation}.
        """
        return self._listed(correlationLink(key))

    def list(self, node: NodeID | None = None) -> Deferred[SessionIDs]:
        """
        See L{ISessionStore.list}.  Records that cannot be read are left out,
        and logged.
        """
        return self._listed("expiry" if node is None else f"node:{node}")

    def heartbeat(self, lease: NodeLease, ttl: float) -> Deferred[bool]:
        """
        See L{ISessionStore.heartbeat}.
        """
        if not ttl > 0:
            return fail(_notPositive(ttl))

        def check(answer: Answer) -> bool:
            if answer[0] == b"held":
                _, instance, blob, expires = answer
                raise LeaseHeld(holder(lease.nodeID, instance, blob, expires / 1000))
            return bool(answer[1])

        try:
            blob = encodeLease(lease)
        except (TypeError, ValueError) as error:
            return fail(error)
        words = (lease.nodeID, lease.instance, _milliseconds(ttl), blob)
        return self._run("heartbeat", *words).addCallback(check)

    def nodes(self) -> Deferred[_Leases]:
        """
        See L{ISessionStore.nodes}.
        """

        return self._run("nodes").addCallback(leases)

    def release(self, nodeID: NodeID, instance: str) -> Deferred[None]:
        """
        See L{ISessionStore.release}.
        """
        return self._run("release", nodeID, instance).addCallback(lambda _: None)

    def stats(self) -> Deferred[dict[str, Any]]:
        """
        See L{ISessionStore.stats}; also C{expired} (records that wait for
        L{cleanup}) and the counters of L{RedisConnection}.
        """
        asked = self._clock.seconds()

        def tell(answer: Answer) -> dict[str, Any]:
            sessions, expired, nodes = answer
            return {
                "provider": "redis",
                "sessions": sessions,
                "expired": expired,
                "nodes": nodes,
                "latency": self._clock.seconds() - asked,
                **{name: self._connection.counters[name] for name in _COUNTERS},
            }

        return self._run("stats").addCallback(tell)

    def cleanup(self) -> Deferred[int]:
        """
        See L{ISessionStore.cleanup}.  Beside what has expired, a part of all
        entries is looked at, another one each time.
        """
        return Deferred.fromCoroutine(self._cleanup())

    def health(self) -> Deferred[bool]:
        """
        See L{ISessionStore.health}.
        """
        return self._run("health").addCallback(bool)

    def close(self) -> Deferred[None]:
        """
        See L{ISessionStore.close}.
        """
        return self._connection.close()

    async def _claimFrom(self, owner: NodeID, node: NodeID, limit: int, instance: str) -> Claimed:
        checkClaim(owner, node, limit)
        last, skipped = b"", 0
        while True:
            words = (owner, node, limit, instance, SCHEMA, last, skipped)
            answer = await self._run("claimfrom", *words)
            claim = claimedRecords(answer, owner, node)
            _, _, skipped, last, found = answer
            if found or not last:
                return claim

    async def _cleanup(self) -> int:
        removed, taken = 0, BATCH
        while taken:
            taken = await self._run("cleanup", BATCH)
            removed += taken
        for _ in range(AUDITED // BATCH):
            seen, orphans = await self._run("audit", self._audited, BATCH)
            removed += orphans
            self._audited += seen - orphans
            if seen < BATCH:
                self._audited = 0
                break
        return removed

    def _run(self, script: str, *words: bytes | str | int) -> Deferred[Any]:
        sent = [toBytes(word) if isinstance(word, str) else word for word in words]
        return self._connection.run(script, self._prefix, *sent)

    def _write(
        self, script: str, data: SessionData, ttl: float, *fence: int, expected: int = 0
    ) -> Deferred[Any]:
        """
        @return: fires with the data as stored, or with C{None} if the script
            kept what there was.
        """
        if not ttl > 0:
            return fail(_notPositive(ttl))
        try:
            blob = encode(data)
        except (TypeError, ValueError) as error:
            return fail(error)

        def check(answer: Answer) -> SessionData | None:
            if answer[0] == b"kept":
                return None
            version = checked(answer, data.sessionID, expected)[1]
            return evolve(data, version=version, remaining=ttl)

        links = packedLinks(data)
        words = (data.sessionID, data.nodeID, _milliseconds(ttl), blob, links, SCHEMA)
        return self._run(script, *words, *fence).addCallback(check)

    def _listed(self, index: str) -> Deferred[SessionIDs]:
        return Deferred.fromCoroutine(self._list(index))

    async def _list(self, index: str) -> SessionIDs:
        # By pages, as a server does nothing else meanwhile.  A page begins with
        # the expiry that the last one ended with; a record whose time was
        # extended in between is met again.
        readable: dict[bytes, None] = {}
        unreadable: set[bytes] = set()
        since, limit = b"", PAGE
        while True:
            good, bad, until = await self._run("list", index, SCHEMA, since, limit)
            readable.update(dict.fromkeys(good))
            unreadable.update(bad)
            if not until:
                break
            # A page that expires in one moment would be met for ever.
            since, limit = until, limit if until != since else 2 * limit
        if unreadable:
            log.warn(
                "{count} records cannot be read and are left out: {keys}",
                count=len(unreadable),
                keys=[repr(key) for key in sorted(unreadable)[:10]],
            )
        return [fromBytes(key) for key in readable]


_Leases = list[NodeLease]
_COUNTERS = ("connections", "failures", "losses", "timeouts", "reloads")


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _notPositive(ttl: float) -> ValueError:
    return ValueError(f"a time to live above 0, not {ttl!r}")
