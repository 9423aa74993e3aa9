"""
Tests for L{siprec.metrics}.
"""

from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from siprec.metrics import Metrics


def samples(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    """
    @return: the value of each sample by its name and its labels' values.
    """
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for sample in family.samples
    }


class CountingTests(SynchronousTestCase):
    """
    What the recorder counts itself.
    """

    def setUp(self) -> None:
        self.metrics = Metrics("1.2.3", "node-a")

    def test_info(self) -> None:
        """
        Version and node are the labels of a constant 1.
        """
        self.assertEqual(samples(self.metrics)["siprec_info", ("node-a", "1.2.3")], 1)

    def test_counters(self) -> None:
        """
        Counters carry the documented names and labels.
        """
        self.metrics.invites.labels("accepted").inc()
        self.metrics.recordings.labels("complete").inc(2)
        self.metrics.renders.labels("failed").inc()
        self.metrics.journalErrors.inc()
        self.metrics.unhandledErrors.inc(3)
        found = samples(self.metrics)
        self.assertEqual(found["siprec_invites_total", ("accepted",)], 1)
        self.assertEqual(found["siprec_recordings_total", ("complete",)], 2)
        self.assertEqual(found["siprec_renders_total", ("failed",)], 1)
        self.assertEqual(found["siprec_journal_errors_total", ()], 1)
        self.assertEqual(found["siprec_unhandled_errors_total", ()], 3)

    def test_histograms(self) -> None:
        """
        Times fall into buckets from milliseconds to the end of a transaction
        (answers) and to half an hour (rendering).
        """
        self.metrics.answerSeconds.observe(0.02)
        self.metrics.renderSeconds.observe(90)
        found = samples(self.metrics)
        self.assertEqual(found["siprec_answer_seconds_bucket", ("0.01",)], 0)
        self.assertEqual(found["siprec_answer_seconds_bucket", ("0.025",)], 1)
        self.assertEqual(found["siprec_answer_seconds_bucket", ("32.0",)], 1)
        self.assertEqual(found["siprec_render_seconds_bucket", ("60.0",)], 0)
        self.assertEqual(found["siprec_render_seconds_sum", ()], 90)

    def test_ownRegistry(self) -> None:
        """
        Two nodes in one process count apart, and nothing is put into the
        process-wide registry.
        """
        other = Metrics("1.2.3", "node-b")
        self.metrics.journalErrors.inc()
        self.assertEqual(samples(other)["siprec_journal_errors_total", ()], 0)
        self.assertFalse([m for m in REGISTRY.collect() if m.name.startswith("siprec")])

    def test_helpAndType(self) -> None:
        """
        Every metric says what it is.
        """
        self.metrics.watch("siprec_sessions", lambda: 1)
        self.metrics.watch("siprec_media_packets_total", lambda: 1)
        families = {f.name: f for f in text_string_to_metric_families(self._text())}
        self.assertEqual(families["siprec_sessions"].type, "gauge")
        self.assertEqual(families["siprec_media_packets"].type, "counter")
        self.assertEqual([f.name for f in families.values() if not f.documentation], [])

    def _text(self) -> str:
        return self.metrics.exposition().decode()


class WatchingTests(SynchronousTestCase):
    """
    What is asked of others at each scrape.
    """

    def setUp(self) -> None:
        self.metrics = Metrics("1.2.3", "node-a")

    def test_readAtEachScrape(self) -> None:
        """
        A watched value is read anew at each scrape, and not before.
        """
        values = iter([3, 5])
        self.metrics.watch("siprec_sessions", lambda: next(values))
        self.assertEqual(samples(self.metrics)["siprec_sessions", ()], 3)
        self.assertEqual(samples(self.metrics)["siprec_sessions", ()], 5)

    def test_unwatchedAbsent(self) -> None:
        """
        Without a source there is no sample: a made-up zero would hide that
        nothing is measured.
        """
        self.assertNotIn(("siprec_ports_free", ()), samples(self.metrics))

    def test_labels(self) -> None:
        """
        A mapping gives one sample for each of its keys.
        """
        self.metrics.watch("siprec_sip_responses_total", lambda: {"200": 4, "486": 1})
        found = samples(self.metrics)
        self.assertEqual(found["siprec_sip_responses_total", ("200",)], 4)
        self.assertEqual(found["siprec_sip_responses_total", ("486",)], 1)

    def test_methodsBounded(self) -> None:
        """
        Methods a peer invents are counted together: it cannot create time
        series.
        """
        self.metrics.watch("siprec_sip_requests_total", lambda: {"INVITE": 2, "A": 1, "B": 1})
        found = samples(self.metrics)
        self.assertEqual(found["siprec_sip_requests_total", ("INVITE",)], 2)
        self.assertEqual(found["siprec_sip_requests_total", ("other",)], 2)
        self.assertNotIn(("siprec_sip_requests_total", ("A",)), found)

    def test_brokenSource(self) -> None:
        """
        A source that fails is logged and left out; the rest is exposed.
        """

        def fail() -> float:
            raise OSError("gone")

        self.metrics.watch("siprec_disk_free_bytes", fail)
        self.metrics.watch("siprec_ready", lambda: True)
        with capturedLogs() as events:
            found = samples(self.metrics)
        self.assertEqual(found["siprec_ready", ()], 1)
        self.assertNotIn(("siprec_disk_free_bytes", ()), found)
        self.assertEqual([e["metric"] for e in events], ["siprec_disk_free_bytes"])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_wrongShape(self) -> None:
        """
        One number where a mapping is expected, or a mapping where a number
        is, counts as a failing source.
        """
        self.metrics.watch("siprec_sessions", lambda: {"x": 1})
        self.metrics.watch("siprec_sip_dropped_total", lambda: 1)
        found = samples(self.metrics)
        self.assertFalse([name for name, _ in found if name.startswith("siprec_sessions")])
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 2)

    def test_unknownName(self) -> None:
        """
        A name that is not declared is the caller's mistake.
        """
        error = self.assertRaises(KeyError, self.metrics.watch, "siprec_sesions", lambda: 1)
        self.assertIn("siprec_sesions", str(error))

    def test_watchedTwice(self) -> None:
        """
        One metric has one source.
        """
        self.metrics.watch("siprec_ready", lambda: 1)
        self.assertRaises(ValueError, self.metrics.watch, "siprec_ready", lambda: 0)
