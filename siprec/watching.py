"""
Which part of a node knows which of its metrics.
"""

from __future__ import annotations

from siprec.entrance import Entrance
from siprec.media.interfaces import IPortPool
from siprec.media.reporting import Reports
from siprec.metrics import Metrics
from siprec.recorder import Recorder
from siprec.session.recordings import Recordings
from siprec.session.service import SessionService
from siprec.sip.layer import SipLayer
from siprec.trace.ring import TraceRing
from siprec.uas.capacity import streamsOf
from siprec.uas.upkeep import Upkeep

# Of what the SIP layer counts, that which nobody got an answer to.
_DROPPED = ("badMessages", "strayAcks", "strayResponses", "lateResponses", "afterStop")


def watchNode(
    metrics: Metrics,
    sessions: Recordings,
    ports: IPortPool,
    recorder: Recorder,
    layer: SipLayer,
    state: SessionService,
    entrance: Entrance,
) -> None:
    """
    Have each part asked for its numbers at every scrape.
    """
    metrics.watch("siprec_sessions", lambda: len(sessions.recordings))
    metrics.watch("siprec_sessions_paused", lambda: sessions.paused)
    metrics.watch("siprec_ports_free", lambda: ports.free)
    metrics.watch("siprec_disk_free_bytes", lambda: sessions.disk.free or 0)
    metrics.watch("siprec_ready", lambda: not recorder.notReady())
    metrics.watch("siprec_media_packets_total", lambda: sessions.media("packets"))
    metrics.watch("siprec_media_octets_total", lambda: sessions.media("octets"))
    metrics.watch("siprec_media_kernel_drops_total", lambda: sessions.media("kernelDrops"))
    metrics.watch("siprec_media_unauthenticated_total", lambda: sessions.media("unauthenticated"))
    metrics.watch("siprec_media_strangers_total", lambda: sessions.media("strangers"))
    metrics.watch("siprec_media_discarded_total", lambda: sessions.media("discarded"))
    metrics.watch("siprec_postponed", lambda: len(sessions.equipment.postponed))
    metrics.watch("siprec_store_waiting", lambda: state.keeper.waiting)
    metrics.watch("siprec_store_away", lambda: state.keeper.away)
    metrics.watch("siprec_sip_requests_total", lambda: layer.requests)
    metrics.watch("siprec_sip_responses_total", lambda: layer.responses)
    metrics.watch(
        "siprec_sip_dropped_total", lambda: {name: layer.counters[name] for name in _DROPPED}
    )
    metrics.watch("siprec_sip_refused_total", lambda: entrance.doorway.refused + recorder.refused)
    metrics.watch("siprec_sip_transport_events_total", lambda: entrance.transport.counters)
    metrics.watch("siprec_sip_certificate_expires", lambda: entrance.transport.tls.expires or 0)
    metrics.watch("siprec_sip_connections", lambda: entrance.transport.connections)
    metrics.watch("siprec_sip_waiting", lambda: len(entrance.intake))
    metrics.watch("siprec_sip_waiting_seconds", lambda: entrance.intake.waited)
    metrics.watch("siprec_sip_unacknowledged", lambda: len(recorder.capacity.unacknowledged))
    metrics.watch("siprec_streams", lambda: streamsOf(recorder.calls.values()))


def watchUpkeep(metrics: Metrics, upkeep: Upkeep) -> None:
    """
    Likewise for what is looked at now and then.
    """
    metrics.watch("siprec_streams_silent", lambda: upkeep.silent)
    metrics.watch("siprec_media_silences_total", lambda: upkeep.silences)


def watchTrace(metrics: Metrics, ring: TraceRing) -> None:
    """
    Likewise for the messages that are kept for who looks.
    """
    metrics.watch("siprec_trace_messages", lambda: len(ring))
    metrics.watch("siprec_trace_octets", lambda: ring.octets)


def watchReports(metrics: Metrics, reports: Reports) -> None:
    """
    Likewise for the RTCP that is sent.
    """
    metrics.watch(
        "siprec_media_reports_total",
        lambda: {name: reports.counters[name] for name in ("reports", "goodbyes", "failed")},
    )
