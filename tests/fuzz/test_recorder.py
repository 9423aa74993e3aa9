"""
Tests for L{siprec.recorder} under L{tests.fuzz.recorder}.
"""

import os
import random

from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.fuzz.recorder import Storm
from tests.uas.house import House


class StormTests(SynchronousTestCase):
    """
    Whatever peers send, in whatever order.
    """

    def storm(self, seed: int, count: int) -> None:
        """
        Assert that nothing unforeseen happens, and nothing is left behind.
        """
        house = House(os.path.abspath(self.mktemp()))
        storm = Storm(house, random.Random(seed))
        with capturedLogs() as logs:
            for _ in range(count):
                storm.step()
        failures = [each for each in logs if each["log_level"] >= LogLevel.critical]
        self.assertEqual([str(each.get("log_failure")) for each in failures], [])
        self.assertEqual(house.layer.counters["unhandledErrors"], 0)
        self.assertFalse(house.count("siprec_unhandled_errors_total 1.0"))
        house.close()
        self.assertEqual(house.clock.getDelayedCalls(), [])
        self.assertEqual((house.ports.taken, house.recorder.calls), ([], {}))
        states = {each["state"] for each in house.manifests()}
        self.assertEqual(states, {"complete"})

    def test_anything(self) -> None:
        """
        No message ends in an error that nothing had foreseen; afterwards every
        recording is complete, and no port or timer is left.
        """
        for seed in range(3):
            self.storm(seed, 400)
