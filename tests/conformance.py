"""
The page C{docs/conformance.rst}, made from the names of the tests: a test that
proves a numbered rule is called C{test_<number>_...}.

C{python -m tests.conformance} writes the page anew; a test fails while it is
out of date.
"""

from __future__ import annotations

import ast
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from attrs import frozen

from tests.rules import SECTIONS, Rule

_TESTS = os.path.dirname(os.path.abspath(__file__))

#: Where the page lies.
PAGE = os.path.join(os.path.dirname(_TESTS), "docs", "conformance.rst")

_HEAD = """\
Conformance
===========

.. Made by "python -m tests.conformance": change tests/rules.py and the tests, not this page.

Every rule that concerns signalling and metadata, by the number that tests bear in their names.
*Kept* means that tests prove it; *in part* and *not kept* say what is missing, and why.

"""


@frozen
class Proof:
    """
    A test.

    @ivar module: below C{tests}.
    @ivar name: of the method.
    """

    module: str
    name: str


def methods(folder: str = _TESTS) -> Iterator[Proof]:
    """
    @return: every test method below a folder.
    """
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if not (name.startswith("test_") and name.endswith(".py")):
                continue
            path = os.path.join(place, name)
            with open(path, encoding="utf-8") as source:
                tree = ast.parse(source.read())
            module = os.path.relpath(path, folder)[: -len(".py")].replace(os.sep, ".")
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield Proof(module, node.name)


def proofs(rules: Iterable[Rule], tests: Iterable[Proof]) -> Mapping[str, list[Proof]]:
    """
    @return: for each rule's key its tests; a test counts for the longest key
        that its name begins with.
    """
    keys = sorted((rule.key for rule in rules), key=len, reverse=True)
    found: dict[str, list[Proof]] = defaultdict(list)
    for test in tests:
        name = test.name.removeprefix("test_")
        for key in keys:
            if name == key or name.startswith(f"{key}_"):
                found[key].append(test)
                break
    return found


def state(rule: Rule, tests: list[Proof]) -> str:
    """
    @return: how far a rule is kept.
    """
    if not tests:
        return f"not kept: {rule.lacks}"
    return f"in part: {rule.lacks}" if rule.lacks else "kept"


def makePage() -> str:
    """
    @return: the page as it should be.
    """
    rules = [rule for section in SECTIONS for rule in section.rules]
    found = proofs(rules, methods())
    parts = [_HEAD]
    for section in SECTIONS:
        parts.append(f"{section.title}\n{'-' * len(section.title)}\n\n")
        parts.append(".. list-table::\n   :header-rows: 1\n   :widths: 12 38 20 30\n\n")
        parts.append("   * - Number\n     - Rule\n     - State\n     - Tests\n")
        for rule in section.rules:
            tests = found.get(rule.key, [])
            parts.append(f"   * - {rule.number}\n     - {rule.asks}\n")
            parts.append(f"     - {state(rule, tests)}\n     - {_listed(tests)}\n")
        parts.append("\n")
    return "".join(parts).rstrip("\n") + "\n"


def _listed(tests: list[Proof]) -> str:
    modules: dict[str, list[str]] = {}
    for test in tests:
        modules.setdefault(test.module, []).append(test.name.removeprefix("test_"))
    return "; ".join(
        f"``{module}``: {', '.join(dict.fromkeys(names))}" for module, names in modules.items()
    )


if __name__ == "__main__":
    with open(PAGE, "w", encoding="utf-8") as page:
        page.write(makePage())
