"""
Tests for L{siprec.web.health}.
"""

from tests.web.requests import SiteTestCase


class HealthTests(SiteTestCase):
    """
    What supervisors, load balancers and Prometheus read.
    """

    def test_alive(self) -> None:
        """
        A process that answers is alive, ready or not.
        """
        self.control.reasons.append("draining")
        self.assertEqual(self.get("/healthz"), {"status": "alive"})

    def test_ready(self) -> None:
        """
        Without a reason against it, the node is ready.
        """
        self.assertEqual(self.get("/readyz"), {"status": "ready", "reasons": [], "notes": []})

    def test_notes(self) -> None:
        """
        What is wrong without keeping calls out is said, and the node is ready.
        """
        self.control.noted.append("the store is away")
        self.assertEqual(self.get("/readyz")["notes"], ["the store is away"])

    def test_notReady(self) -> None:
        """
        A node that takes no call says 503 and every reason.
        """
        self.control.reasons[:] = ["draining", "disk full"]
        found = self.get("/readyz", 503)
        self.assertEqual(found["reasons"], ["draining", "disk full"])
        self.assertEqual(found["error"], "not-ready")
        self.assertEqual(found["detail"], "draining; disk full")

    def test_metrics(self) -> None:
        """
        The exposition is plain text of the version it is in.
        """
        self.metrics.journalErrors.inc(7)
        reply = self.request("GET", "/metrics")
        self.assertEqual(reply.status, 200)
        self.assertIn("text/plain; version=", reply.headers["content-type"])
        self.assertIn(b"siprec_journal_errors_total 7.0\n", reply.body)
