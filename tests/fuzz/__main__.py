"""
C{python -m tests.fuzz [--inputs N] [--seed N] [--guided] [PARSER ...]}: give the
parsers inputs at random, and say how many, and which was the slowest.

The same seed gives the same inputs.  An input on which a parser fails, or takes
more than 10 ms, is written to C{tests/fuzz/found} and makes the exit status 1.
With C{--guided} atheris, where it is installed, looks for new paths through one
parser instead.
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
from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, field

from tests.fuzz.mutation import Mutator, corpus
from tests.fuzz.parsers import PARSERS

#: Seconds that no input may take.
LIMIT = 0.01

_FOUND = os.path.join(os.path.dirname(os.path.abspath(__file__)), "found")


@define(eq=False)
class Outcome:
    """
    What became of the inputs of one parser.

    @ivar slowest: seconds, and the input.
    @ivar failures: inputs, each with what is wrong.
    """

    count: int = 0
    slowest: tuple[float, bytes] = (0.0, b"")
    failures: list[tuple[bytes, str]] = field(factory=list)


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


def inputs(name: str, count: int, seed: int) -> Iterable[bytes]:
    """
    @return: the corpus, and then so many more.
    """
    seeds = corpus(name)
    yield from seeds
    mutator = Mutator(random.Random(f"{name} {seed}"), seeds)
    for _ in range(count):
        yield mutator.next()


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
    parse = PARSERS[name]
    atheris.instrument_all()
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
    parser.add_argument("--guided", action="store_true", help="with atheris, one parser")
    parser.add_argument("parsers", nargs="*", metavar="PARSER", help=", ".join(PARSERS))
    options = parser.parse_args(arguments)
    names: list[str] = options.parsers or list(PARSERS)
    for name in names:
        if name not in PARSERS:
            parser.error(f"{name}: expected one of {', '.join(PARSERS)}")
    if options.guided:
        guided(names[0], options.inputs, options.seed)
    total = failed = 0
    for name in names:
        outcome = fuzz(PARSERS[name], inputs(name, options.inputs, options.seed))
        total, failed = total + outcome.count, failed + len(outcome.failures)
        slow, data = outcome.slowest
        print(
            f"{name}: {outcome.count} inputs, the slowest {slow * 1000:.2f} ms"
            f" ({len(data)} bytes), {len(outcome.failures)} failures"
        )
        for data, why in outcome.failures[:10]:
            print(f"  {keep(name, data)}\n{why}")
    print(f"{total} inputs with seed {options.seed}, {failed} failures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
