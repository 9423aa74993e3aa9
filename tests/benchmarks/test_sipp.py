"""
Tests of L{benchmarks.sipp}.
"""

from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.sipp import scenario, timesOf


class SippTests(SynchronousTestCase):
    """
    What sipp is given, and what it writes.
    """

    def test_scenario(self) -> None:
        """
        A call is INVITE, ACK and BYE, held as long as is asked for, and the time from the
        INVITE to its 200 is taken.
        """
        root = etree.fromstring(scenario(0.2).encode())
        texts = [(each.text or "").split()[0] for each in root.iter("send")]
        self.assertEqual(texts, ["INVITE", "ACK", "BYE"])
        self.assertEqual([each.get("milliseconds") for each in root.iter("pause")], ["200"])
        timed = [each.get("response") for each in root.iter("recv") if each.get("rtd")]
        self.assertEqual(timed, ["200"])

    def test_sessions(self) -> None:
        """
        Each call is of a communication session of its own, and is so wherever it is named.
        """
        text = scenario()
        self.assertGreater(text.count('session_id="session[call_number]"'), 1)
        self.assertNotIn('session_id="0', text)

    def test_times(self) -> None:
        """
        The response times are in the second column, after a line with names.
        """
        lines = ["Date_ms;response_time_ms;rtd_no\n", "64.001;20;1\n", "116.5;32.5;1\n", "\n"]
        self.assertEqual(timesOf(lines), [20.0, 32.5])


__all__ = ["SippTests"]
