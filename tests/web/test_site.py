"""
Tests for L{siprec.web.site}.
"""

from twisted.logger import LogLevel, capturedLogs

from tests.web.requests import SiteTestCase


class SiteTests(SiteTestCase):
    """
    The paths as a whole.
    """

    def test_missing(self) -> None:
        """
        Paths that there are not give 404, in JSON like all other answers.
        """
        for path in ("/", "/x", "/healthz/x", "/api", "/api/", "/api/x", "/api/drain/x", "/%ff"):
            self.assertEqual(self.get(path, 404)["error"], "not-found")

    def test_missingForAnyMethod(self) -> None:
        """
        What is not there is not there for any method.
        """
        self.assertEqual(self.request("DELETE", "/x").status, 404)

    def test_methodNotAllowed(self) -> None:
        """
        A method that a path does not know gives 405 with those it does.
        """
        for method, path, allow in (
            ("POST", "/healthz", "GET, HEAD"),
            ("DELETE", "/api/recordings", "GET, HEAD"),
            ("GET", "/api/drain", "POST"),
            ("HEAD", "/api/drain", "POST"),
            ("NONSENSE", "/metrics", "GET, HEAD"),
        ):
            reply = self.request(method, path)
            self.assertEqual((reply.status, reply.headers["allow"]), (405, allow))
        self.assertEqual(self.control.drained, 0)

    def test_head(self) -> None:
        """
        HEAD gives the headers of GET without its body.
        """
        got, head = self.request("GET", "/readyz"), self.request("HEAD", "/readyz")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.headers["content-length"], str(len(got.body)))

    def test_accessLog(self) -> None:
        """
        Each request is one debug event, so that health checks do not fill the
        log.
        """
        with capturedLogs() as events:
            self.request("GET", "/healthz")
        [event] = [e for e in events if "uri" in e]
        self.assertEqual((event["uri"], event["status"]), (b"/healthz", 200))
        self.assertEqual(event["log_level"], LogLevel.debug)
