"""
The renderer's own process.

C{python -m siprec.render DIRECTORY} renders one recording and prints one JSON object.

C{python -m siprec.render --serve} renders one after another: each line of the standard
input is C{{"directory": ...}}, perhaps with C{"split"}, C{"form"} and C{"maskDigits"}, and
each is answered with a line on the standard output, C{{"rendering": ...}} or
C{{"error": ...}}.  It ends when its input does, wherever it is: then the node that asked is
gone, or wants no more of it.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import BinaryIO, TextIO

from siprec.render.form import Form
from siprec.render.recording import RenderError, renderDirectory

__all__ = ["main", "serve", "takeOver"]

#: A call that is being recorded comes before one that is over.
NICENESS = 10


def main(arguments: Sequence[str], output: TextIO, errors: TextIO) -> int:
    """
    @param arguments: the recording's folder.
    @return: the exit status: 0, or 1 if it could not be rendered, or 2 for wrong
        arguments; C{errors} says why.
    """
    if len(arguments) != 1:
        errors.write("usage: python -m siprec.render DIRECTORY | --serve\n")
        return 2
    try:
        rendering = renderDirectory(arguments[0])
    except RenderError as error:
        errors.write(f"{error}\n")
        return 1
    json.dump(rendering, output)
    output.write("\n")
    return 0


def serve(requests: BinaryIO, answers: BinaryIO, leave: Callable[[], object]) -> None:
    """
    Answer requests until there are no more.  What nobody has foreseen is raised: the
    parent starts a new process, and all of this one's memory is gone.

    @param requests: read in a thread of its own, so that its end is seen in the midst
        of a recording.
    @param leave: called at the end of C{requests}, in that thread; it need not return.
    """
    lines: SimpleQueue[bytes | None] = SimpleQueue()
    Thread(target=_read, args=(requests, lines, leave), daemon=True).start()
    while (line := lines.get()) is not None:
        answers.write(json.dumps(_answer(line)).encode() + b"\n")
        answers.flush()


def takeOver() -> tuple[BinaryIO, BinaryIO]:
    """
    Take the standard input and output away from everybody else in the process: what a
    library prints, in C or in Python, goes to the standard error.

    @return: the requests and the answers.
    """
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return requests, answers


def _read(
    requests: BinaryIO, lines: "SimpleQueue[bytes | None]", leave: Callable[[], object]
) -> None:
    try:
        for line in requests:
            lines.put(line)
    finally:
        leave()
        lines.put(None)


def _answer(line: bytes) -> dict[str, object]:
    try:
        request = json.loads(line)
        directory, split = request["directory"], request.get("split", "none")
        form = Form.read(request.get("form", {}))
        masked = request.get("maskDigits", False)
        if not isinstance(directory, str):
            raise TypeError(f"the directory is {directory!r}")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return {"error": f"not a request: {error!r}"}
    try:
        return {"rendering": renderDirectory(directory, form, split=split, maskDigits=masked)}
    except RenderError as error:
        return {"error": str(error)}


def _run(arguments: Sequence[str]) -> int:
    os.nice(NICENESS)
    if list(arguments) != ["--serve"]:
        return main(arguments, sys.stdout, sys.stderr)
    # A terminal sends Ctrl-C to the node's children too; it is the node that decides
    # what becomes of a recording.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Not sys.exit(): that ends a thread, and waits for the others.
    serve(*takeOver(), leave=lambda: os._exit(0))
    return 0


if __name__ == "__main__":
    sys.exit(_run(sys.argv[1:]))
