"""
How a node is put together that shares its store with others.
"""

from __future__ import annotations

from collections import Counter

from twisted.internet.defer import succeed

from siprec.assembly import Assembly
from siprec.cluster.cluster import Cluster
from siprec.cluster.continuing import Continuation
from siprec.cluster.credentials import Credentials
from siprec.cluster.gate import Gate
from siprec.cluster.keys import newKey
from siprec.cluster.links import ClusterLinks
from siprec.cluster.listening import listenAt
from siprec.cluster.membership import Standing
from siprec.cluster.noncecounts import NonceCounts
from siprec.cluster.places import Places
from siprec.cluster.wakefulness import Wakefulness
from siprec.config import ClusterSettings
from siprec.metrics import Metrics

__all__ = ["ClusterAssembly", "watchCluster"]


class ClusterAssembly(Assembly):
    """
    The parts of a node among others.
    """

    def connect(self) -> None:
        """
        See L{Assembly.connect}.
        """
        settings, reactor = self.settings, self.reactor
        wakefulness = Wakefulness(
            reactor,
            1.5 * settings.session.heartbeatInterval,
            lambda: succeed(None) if self.cluster is None else self.cluster.verify(),
        )
        gate = Gate(wakefulness, self.isCutOff)
        self.transport = self.makeTransport(gate)
        gate.transport = self.transport
        places = Places(settings.media.address)
        self.recorder = self.makeRecorder(self.transport)
        cluster = self.cluster = Cluster(
            settings,
            reactor,
            self.state,
            self.recordings,
            self.recorder,
            self.layer,
            self.transport,
            self.running,
            self.workers,
            self.renderer,
            self.recovery,
            self._continuation(places),
            places,
            self.now,
            self._links(settings.cluster),
            wakefulness,
            gate,
        )
        gate.receiver = cluster.relay
        cluster.relay.receiver = self.layer
        self.layer.transport = self.around.outgoing.transport = cluster.relay
        self.recorder.transport = cluster.relay
        self.recorder.isUncertain = cluster.isUncertain
        self.recorder.alone = lambda: not cluster.membership.living
        self.around.passOn = cluster.passOn
        doorway = self.entrance.doorway
        doorway.asking.ask = NonceCounts(
            cluster.links, lambda: cluster.membership.living, doorway.authenticator.use
        ).ask
        watchCluster(self.metrics, cluster)

    def _continuation(self, places: Places) -> Continuation:
        settings = self.settings
        return Continuation(
            settings.node.id,
            self.recordings,
            self.recorder,
            self.transport,
            self.state.store,
            self.running,
            self.workers,
            self.reactor,
            self.now,
            places,
            settings.media.bind,
            settings.media.address,
            timeout=settings.session.timeout,
            addressWait=settings.cluster.addressWait,
            ways=settings.cluster.mediaTakeover,
        )

    def _links(self, settings: ClusterSettings) -> ClusterLinks:
        credentials = Credentials(newKey())
        credentials.load(settings)
        return ClusterLinks(
            self.reactor,
            self.settings.node.id,
            self.state.instance,
            listenAt(settings.listen, self.settings.store.url),
            credentials=credentials,
            leaseOf=lambda node: (
                None if self.cluster is None else self.cluster.greetings.leaseOf(node)
            ),
            advertise=settings.advertise,
            onBroken=lambda node: (
                None if self.cluster is None else self.cluster.membership.broken(node)
            ),
            onSilent=lambda node: (
                None if self.cluster is None else self.cluster.membership.broken(node)
            ),
        )


def watchCluster(metrics: Metrics, cluster: Cluster) -> None:
    """
    Have a node's part in its cluster asked for its numbers at every scrape.
    """

    def standings() -> dict[str, float]:
        counted = Counter(each.standing.value for each in cluster.membership.members.values())
        return {each.value: counted[each.value] for each in Standing}

    def sessions() -> dict[str, float]:
        return {
            "claimed": cluster.takeover.claimed,
            "given": cluster.giver.given,
            "taken": cluster.taker.taken,
            "fenced": cluster.counters["fenced"],
            **cluster.moves(),
        }

    metrics.watch("siprec_cluster_nodes", standings)
    metrics.watch(
        "siprec_cluster_events_total",
        lambda: {
            **{name: cluster.counters[name] for name in ("joined", "suspected", "died")},
            "slept": cluster.wakefulness.pauses,
            "cutOff": cluster.isolation.times,
        },
    )
    metrics.watch("siprec_cluster_sessions_total", sessions)
    metrics.watch("siprec_cluster_relayed_total", lambda: dict(cluster.relay.counters))
