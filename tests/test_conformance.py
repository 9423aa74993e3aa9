"""
Tests for L{tests.conformance}.
"""

import os

from twisted.trial.unittest import SynchronousTestCase

from tests.conformance import PAGE, Proof, makePage, methods, proofs, state
from tests.rules import SECTIONS, Rule


class ConformanceTests(SynchronousTestCase):
    """
    The page and the tests agree.
    """

    def test_page(self) -> None:
        """
        The page is what the tests say; C{python -m tests.conformance} makes it.
        """
        with open(PAGE, encoding="utf-8") as page:
            self.assertEqual(page.read(), makePage(), "run python -m tests.conformance")

    def test_everyModule(self) -> None:
        """
        A module of tests has some: none was emptied by mistake.
        """
        tests = os.path.dirname(os.path.abspath(__file__))
        found = {each.module for each in methods()}
        bare = [
            module
            for place, _, names in os.walk(tests)
            for name in names
            if name.startswith("test_") and name.endswith(".py")
            for module in [os.path.relpath(os.path.join(place, name), tests)]
            if module[:-3].replace(os.sep, ".") not in found
        ]
        self.assertEqual(bare, [])

    def test_everyRule(self) -> None:
        """
        A rule has a test, or says why it has none.
        """
        rules = [rule for section in SECTIONS for rule in section.rules]
        found = proofs(rules, methods())
        bare = [rule.number for rule in rules if not (rule.lacks or rule.key in found)]
        self.assertEqual(bare, [])
        self.assertEqual(len({rule.key for rule in rules}), len(rules))

    def test_longest(self) -> None:
        """
        A test counts for the most special rule that its name begins with.
        """
        general, special = Rule("D3", "all"), Rule("D3 482", "merged")
        tests = [Proof("a", "test_D3_482_merged"), Proof("b", "test_D3_4821"), Proof("c", "test_D")]
        found = proofs([general, special], tests)
        self.assertEqual(found["D3_482"], tests[:1])
        self.assertEqual(found["D3"], tests[1:2])

    def test_states(self) -> None:
        """
        Kept, in part, not kept.
        """
        tests = [Proof("a", "test_A1_x")]
        self.assertEqual(state(Rule("A1", "x"), tests), "kept")
        self.assertEqual(state(Rule("A1", "x", "no time"), tests), "in part: no time")
        self.assertEqual(state(Rule("A1", "x", "no time"), []), "not kept: no time")
