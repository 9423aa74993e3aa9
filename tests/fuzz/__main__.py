"""
C{python -m tests.fuzz [--inputs N] [--seed N] [--jobs N] [--guided] [PARSER ...]}:
give the parsers inputs at random, and say how many, how fast, and which was the
slowest.

The same seed gives the same inputs, with however many processes.  An input on
which a parser fails, or takes more than 10 ms, is written to C{tests/fuzz/found}
and makes the exit status 1.  With C{--guided} atheris, where it is installed,
looks for new paths through one parser instead.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import importlib
import os
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from attrs import define, field, frozen

from tests.fuzz.mutation import Mutator, corpus
from tests.fuzz.parsers import PARSERS

#: Seconds that no input may take.
LIMIT = 0.01

#: Inputs that one process makes of one seed, before it gets another.
PORTION = 2_000

# So many failures of one parser are told of.
_MOST_TOLD = 10

_FOUND = os.path.join(os.path.dirname(os.path.abspath(__file__)), "found")


@define(eq=False)
class Outcome:
    """
    What became of the inputs of one parser.

    @ivar slowest: seconds, and the input.
    @ivar failures: inputs, each with what is wrong.
    @ivar spent: seconds of one processor.
    """

    count: int = 0
    slowest: tuple[float, bytes] = (0.0, b"")
    failures: list[tuple[bytes, str]] = field(factory=list)
    spent: float = 0.0

    def add(self, other: Outcome) -> None:
        """
        Count what became of other inputs.
        """
        self.count += other.count
        self.spent += other.spent
        self.slowest = max(self.slowest, other.slowest)
        self.failures += other.failures


@frozen
class Portion:
    """
    Inputs for one process.

    @ivar number: from 0; the first has the corpus as well.
    """

    name: str
    count: int
    seed: int
    number: int = 0


def portions(name: str, count: int, seed: int) -> Iterator[Portion]:
    """
    @return: so many inputs for a parser, divided.
    """
    for number, start in enumerate(range(0, max(count, 1), PORTION)):
        yield Portion(name, min(PORTION, count - start), seed, number)


def seconds(parse: Callable[[bytes], None], data: bytes) -> float:
    """
    @return: the processor's time that it takes, at best: a busy machine makes
        single runs long.
    """
    best = float("inf")
    for _ in range(5):
        start = time.thread_time()
        parse(data)
        best = min(best, time.thread_time() - start)
    return best


def fuzz(parse: Callable[[bytes], None], inputs: Iterable[bytes]) -> Outcome:
    """
    Give a parser these inputs.
    """
    outcome = Outcome()
    # A collection now and then would be counted as some input's.
    gc.disable()
    try:
        for data in inputs:
            outcome.count += 1
            if outcome.count % 5000 == 0:
                gc.collect()
            start = time.thread_time()
            try:
                parse(data)
            except Exception:
                outcome.failures.append((data, traceback.format_exc()))
                continue
            spent = time.thread_time() - start
            if spent > outcome.slowest[0]:
                spent = seconds(parse, data)
            if spent > outcome.slowest[0]:
                outcome.slowest = (spent, data)
            if spent > LIMIT:
                outcome.failures.append((data, f"{spent * 1000:.1f} ms"))
    finally:
        gc.enable()
    return outcome


def inputs(portion: Portion) -> Iterable[bytes]:
    """
    @return: the corpus, if it is the first portion, and then so many more.
    """
    seeds = corpus(portion.name)
    if not portion.number:
        yield from seeds
    chance = random.Random(f"{portion.name} {portion.seed} {portion.number}")
    mutator = Mutator(chance, seeds)
    for _ in range(portion.count):
        yield mutator.next()


def run(portion: Portion) -> Outcome:
    """
    @return: what became of a portion.
    """
    start = time.process_time()
    outcome = fuzz(PARSERS[portion.name], inputs(portion))
    outcome.spent = time.process_time() - start
    return outcome


def runAll(names: Iterable[str], count: int, seed: int, jobs: int) -> Iterator[tuple[str, Outcome]]:
    """
    @param count: for each parser.
    @param jobs: how many processes at once.
    @return: what became of the inputs, parser by parser.
    """
    todo = {name: list(portions(name, count, seed)) for name in names}
    if jobs == 1:
        for name, each in todo.items():
            yield name, _sum(map(run, each))
        return
    with ProcessPoolExecutor(jobs) as pool:
        doing = {name: pool.map(run, each) for name, each in todo.items()}
        for name, done in doing.items():
            yield name, _sum(done)


def _sum(outcomes: Iterable[Outcome]) -> Outcome:
    total = Outcome()
    for each in outcomes:
        total.add(each)
    return total


def keep(name: str, data: bytes) -> str:
    """
    @return: the path of the file that an input is kept in.
    """
    folder = os.path.join(_FOUND, name)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, hashlib.sha256(data).hexdigest()[:16])
    with open(path, "wb") as file:
        file.write(data)
    return path


def guided(name: str, count: int, seed: int) -> None:
    """
    Let atheris look for inputs; it ends the process.
    """
    try:
        atheris: Any = importlib.import_module("atheris")
    except ImportError:
        sys.exit("--guided needs atheris (Python package atheris)")
    # Only what is looked for counts: to watch every library takes minutes.
    for module in [each for each in sys.modules if each.startswith(("siprec", "tests.fuzz.p"))]:
        del sys.modules[module]
    with atheris.instrument_imports(include=["siprec"]):
        parse = importlib.import_module("tests.fuzz.parsers").PARSERS[name]
    folder = os.path.join(os.path.dirname(_FOUND), "corpus", name)
    more = os.path.join(_FOUND, f"{name}-corpus")
    os.makedirs(more, exist_ok=True)
    options = [f"-runs={count}", f"-seed={seed or 1}", "-max_len=4096", "-timeout=5"]
    atheris.Setup([sys.argv[0], *options, more, folder], parse)
    atheris.Fuzz()


def main(arguments: list[str]) -> int:
    """
    @return: the exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--inputs", type=int, default=20_000, help="for each parser")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--guided", action="store_true", help="with atheris, one parser")
    parser.add_argument("parsers", nargs="*", metavar="PARSER", help=", ".join(PARSERS))
    options = parser.parse_args(arguments)
    names: list[str] = options.parsers or list(PARSERS)
    for name in names:
        if name not in PARSERS:
            parser.error(f"{name}: expected one of {', '.join(PARSERS)}")
    if options.guided:
        guided(names[0], options.inputs, options.seed)
    start, total = time.monotonic(), Outcome()
    for name, outcome in runAll(names, options.inputs, options.seed, options.jobs):
        total.add(outcome)
        tell(name, outcome)
    spent = time.monotonic() - start
    print(
        f"{total.count} inputs with seed {options.seed} in {spent:.0f} s,"
        f" {total.count / spent:.0f} a second, {len(total.failures)} failures",
        flush=True,
    )
    return 1 if total.failures else 0


def tell(name: str, outcome: Outcome) -> None:
    """
    Say what became of a parser's inputs.
    """
    slow, data = outcome.slowest
    rate = outcome.count / max(outcome.spent, 1e-9)
    print(
        f"{name}: {outcome.count} inputs, {rate:.0f} a second and process,"
        f" the slowest {slow * 1000:.2f} ms ({len(data)} bytes),"
        f" {len(outcome.failures)} failures",
        flush=True,
    )
    for data, why in outcome.failures[:_MOST_TOLD]:
        print(f"  {keep(name, data)}\n{why}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
