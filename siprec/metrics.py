"""
What a node counts and measures, in Prometheus' text format.

Each L{Metrics} has a registry of its own, so that several nodes can live in
one process.  What the recorder does itself is counted here as it happens;
what another part keeps anyway (packets, free ports, requests by method) is
asked of it at each scrape, through L{Metrics.watch}.
"""

from collections.abc import Callable, Iterator, Mapping

from attrs import define, field, frozen
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from twisted.logger import Logger

CONTENT_TYPE = CONTENT_TYPE_LATEST

#: One number, or one for each value of the metric's label.
Reading = float | Mapping[str, float]

# The INVITE should be answered at once: an SRC that waits may refuse the
# caller.  The last limit is 64*T1, after which the SRC has given up.
_ANSWER_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 32.0)
_RENDER_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)

# A peer chooses the method's name; without this list it could make as many
# time series as it likes.
_METHODS = (
    *("ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS"),
    *("PRACK", "PUBLISH", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE"),
)


def _method(name: str) -> str:
    return name if name in _METHODS else "other"


def _asIs(name: str) -> str:
    return name


@frozen
class _Watchable:
    """
    A metric whose value another part of the node keeps.
    """

    kind: type[CounterMetricFamily] | type[GaugeMetricFamily]
    help: str
    label: str | None = None
    labelValue: Callable[[str], str] = _asIs


_WATCHABLE: Mapping[str, _Watchable] = {
    "siprec_sessions": _Watchable(GaugeMetricFamily, "Recording sessions that run here now."),
    "siprec_sessions_paused": _Watchable(GaugeMetricFamily, "Those of them that are paused."),
    "siprec_ports_free": _Watchable(GaugeMetricFamily, "RTP/RTCP port pairs that are free."),
    "siprec_disk_free_bytes": _Watchable(
        GaugeMetricFamily, "Bytes free where the recordings are written."
    ),
    "siprec_ready": _Watchable(GaugeMetricFamily, "1 if a new session can be taken, else 0."),
    "siprec_store_waiting": _Watchable(
        GaugeMetricFamily, "Snapshots that are still to be written to the store."
    ),
    "siprec_store_away": _Watchable(GaugeMetricFamily, "1 while the store does not answer."),
    "siprec_cluster_nodes": _Watchable(
        GaugeMetricFamily, "Other nodes of the cluster, by what is thought of them.", "standing"
    ),
    "siprec_cluster_events_total": _Watchable(
        CounterMetricFamily,
        "What happened in the cluster: nodes joined, suspected, died; it slept, was cut off.",
        "event",
    ),
    "siprec_cluster_sessions_total": _Watchable(
        CounterMetricFamily,
        "Sessions that were claimed, given, taken, fenced; media moved or refused.",
        "event",
    ),
    "siprec_cluster_relayed_total": _Watchable(
        CounterMetricFamily,
        "SIP requests for calls of other nodes, by what became of them.",
        "what",
    ),
    "siprec_media_packets_total": _Watchable(
        CounterMetricFamily, "RTP and RTCP packets written to the journals."
    ),
    "siprec_media_octets_total": _Watchable(
        CounterMetricFamily, "UDP payload octets written to the journals."
    ),
    "siprec_media_kernel_drops_total": _Watchable(
        CounterMetricFamily, "Packets the kernel dropped because a socket's buffer was full."
    ),
    "siprec_media_unauthenticated_total": _Watchable(
        CounterMetricFamily, "SRTP packets that no key opened; they are not recorded."
    ),
    "siprec_media_strangers_total": _Watchable(
        CounterMetricFamily, "Packets from addresses that are not a stream's; not recorded."
    ),
    "siprec_media_discarded_total": _Watchable(
        CounterMetricFamily, "Packets that came while their recordings were paused."
    ),
    "siprec_media_reports_total": _Watchable(
        CounterMetricFamily, "RTCP packets sent: reports, goodbyes; and those that failed.", "kind"
    ),
    "siprec_sip_requests_total": _Watchable(
        CounterMetricFamily, "SIP requests received.", "method", _method
    ),
    "siprec_sip_responses_total": _Watchable(
        CounterMetricFamily, "SIP responses sent, by status code.", "status"
    ),
    "siprec_sip_dropped_total": _Watchable(
        CounterMetricFamily, "SIP input that was dropped without an answer.", "reason"
    ),
    "siprec_sip_refused_total": _Watchable(
        CounterMetricFamily, "SIP messages refused for who sent them, or how many.", "reason"
    ),
    "siprec_streams": _Watchable(GaugeMetricFamily, "Streams of all calls that run here now."),
    "siprec_streams_silent": _Watchable(
        GaugeMetricFamily, "Those of them on which nothing has come for session.media_timeout."
    ),
    "siprec_media_silences_total": _Watchable(
        CounterMetricFamily, "How often nothing came on a stream for that long."
    ),
    "siprec_sip_unacknowledged": _Watchable(
        GaugeMetricFamily, "Calls that were answered and have no ACK yet."
    ),
    "siprec_sip_waiting": _Watchable(GaugeMetricFamily, "New calls that wait for their turn."),
    "siprec_sip_waiting_seconds": _Watchable(
        GaugeMetricFamily, "For how long the oldest of them has waited."
    ),
    "siprec_postponed": _Watchable(
        GaugeMetricFamily, "Works that wait until no peer waits for an answer."
    ),
    "siprec_trace_messages": _Watchable(
        GaugeMetricFamily, "SIP messages that are kept for siprec trace."
    ),
    "siprec_trace_octets": _Watchable(GaugeMetricFamily, "Octets of these messages."),
    "siprec_sip_connections": _Watchable(GaugeMetricFamily, "Open TCP and TLS connections."),
    "siprec_sip_transport_events_total": _Watchable(
        CounterMetricFamily, "What happened to SIP's sockets, such as failed handshakes.", "event"
    ),
    "siprec_sip_certificate_expires": _Watchable(
        GaugeMetricFamily, "When our certificate for SIP expires, Unix time; 0: there is none."
    ),
}


@define(eq=False, repr=False)
class _Watched(Collector):
    """
    Asks each watched part for its value when the registry is scraped.
    """

    _reads: dict[str, Callable[[], Reading]] = field(factory=dict)
    _log = Logger()

    def add(self, name: str, read: Callable[[], Reading]) -> None:
        if name not in _WATCHABLE:
            raise KeyError(f"{name} is not a metric that can be watched")
        if name in self._reads:
            raise ValueError(f"{name} is watched already")
        self._reads[name] = read

    def describe(self) -> list[Metric]:
        """
        Nothing, so that the registry does not scrape when this is registered.
        """
        return []

    def collect(self) -> Iterator[Metric]:
        for name, read in self._reads.items():
            try:
                yield _family(name, _WATCHABLE[name], read())
            except Exception:
                # One broken part must not take the other numbers away.
                self._log.failure("{metric}: could not be read", metric=name)


def _family(name: str, watchable: _Watchable, reading: Reading) -> Metric:
    if watchable.label is None:
        if isinstance(reading, Mapping):
            raise TypeError(f"{name} has no label: one number is expected")
        return watchable.kind(name, watchable.help, value=float(reading))
    if not isinstance(reading, Mapping):
        raise TypeError(f"{name}: a mapping from {watchable.label} to a number is expected")
    sums: dict[str, float] = {}
    for key, value in reading.items():
        label = watchable.labelValue(str(key))
        sums[label] = sums.get(label, 0.0) + value
    family = watchable.kind(name, watchable.help, labels=[watchable.label])
    for label, total in sums.items():
        family.add_metric([label], total)
    return family


class Metrics:
    """
    The metrics of one node.

    @ivar invites: initial INVITEs by C{result} (C{"accepted"},
        C{"rejected"}, C{"cancelled"} ...).
    @ivar recordings: recordings that reached a final C{state}
        (C{"complete"}, C{"incomplete"}).
    @ivar journalErrors: streams whose journal could not be written.
    @ivar unhandledErrors: failures that nothing had foreseen.
    @ivar renders: audio files made, by C{result} (C{"ok"}, C{"failed"}).
    @ivar answerSeconds: from the INVITE's arrival to its final answer.
    @ivar renderSeconds: how long it took to make an audio file.
    @ivar gapSeconds: how long the streams of finished recordings were without
        media because the call changed its node.
    """

    def __init__(self, version: str, node: str) -> None:
        self._registry = registry = CollectorRegistry()
        self.invites = Counter(
            "siprec_invites_total", "Initial INVITEs, by outcome.", ["result"], registry=registry
        )
        self.recordings = Counter(
            "siprec_recordings_total", "Recordings that ended.", ["state"], registry=registry
        )
        self.journalErrors = Counter(
            "siprec_journal_errors_total", "Journals that could not be written.", registry=registry
        )
        self.unhandledErrors = Counter(
            "siprec_unhandled_errors_total", "Errors nothing had foreseen.", registry=registry
        )
        self.renders = Counter(
            "siprec_renders_total", "Audio files made, by outcome.", ["result"], registry=registry
        )
        self.answerSeconds = Histogram(
            "siprec_answer_seconds",
            "Time from an initial INVITE to its final answer.",
            buckets=_ANSWER_BUCKETS,
            registry=registry,
        )
        self.renderSeconds = Histogram(
            "siprec_render_seconds",
            "Time to make a recording's audio file.",
            buckets=_RENDER_BUCKETS,
            registry=registry,
        )
        self.gapSeconds = Counter(
            "siprec_node_change_gap_seconds_total",
            "Time without media because a call changed its node, summed over streams.",
            registry=registry,
        )
        info = Gauge(
            "siprec_info", "Version and node, as labels.", ["version", "node"], registry=registry
        )
        info.labels(version, node).set(1)
        self._watched = _Watched()
        registry.register(self._watched)

    def watch(self, name: str, read: Callable[[], Reading]) -> None:
        """
        Ask C{read} for a metric's value at every scrape.

        @param name: one of C{siprec_sessions}, C{siprec_ports_free},
            C{siprec_disk_free_bytes}, C{siprec_ready}, C{siprec_cluster_nodes} (for
            each standing), C{siprec_cluster_events_total},
            C{siprec_cluster_sessions_total} (for each event),
            C{siprec_cluster_relayed_total} (for each outcome),
            C{siprec_media_packets_total}, C{siprec_media_octets_total},
            C{siprec_media_kernel_drops_total},
            C{siprec_media_unauthenticated_total},
            C{siprec_media_strangers_total} (one number each),
            C{siprec_media_reports_total} (for each kind),
            C{siprec_sip_requests_total} (a number for each method),
            C{siprec_sip_responses_total} (for each status),
            C{siprec_sip_dropped_total} and C{siprec_sip_refused_total} (for
            each reason).
        @param read: must not block.  Should it raise, the failure is logged
            and this scrape goes without the metric.
        @raise KeyError: there is no such metric.
        @raise ValueError: it is watched already.
        """
        self._watched.add(name, read)

    def exposition(self) -> bytes:
        """
        @return: all metrics in the format of L{CONTENT_TYPE}.
        """
        return generate_latest(self._registry)


__all__ = ["CONTENT_TYPE", "Metrics", "Reading"]
