"""
Where results are kept: the newest two of each machine.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping
from typing import Any

from benchmarks.figures import Report

__all__ = ["FOLDER", "keep", "machine", "pathOf", "read", "write"]

#: Git does not see what is in it: what another machine measured is of no use.
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "results")


def machine() -> dict[str, Any]:
    """
    @return: what the figures depend on.
    """
    return {
        "name": platform.node() or "unknown",
        "processor": _processor(),
        "processors": len(os.sched_getaffinity(0)),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.machine()


def pathOf(facts: Mapping[str, Any], folder: str = FOLDER, suffix: str = "") -> str:
    """
    @param facts: see L{machine}.
    @return: of the file that this machine's results are in.
    """
    text = f"{facts['name']}-{facts['processor']}-{facts['processors']}"
    name = re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")
    return os.path.join(folder, f"{name}{suffix}.json")


def keep(report: Report, folder: str = FOLDER) -> str:
    """
    Write results as the newest of their machine; those before them are kept, too.

    @return: the path.
    @raise OSError: it cannot be written.
    """
    path = pathOf(report.machine, folder)
    if os.path.exists(path):
        os.replace(path, pathOf(report.machine, folder, "-before"))
    write(report, path)
    return path


def write(report: Report, path: str) -> None:
    """
    @raise OSError: it cannot be written.
    """
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(report.toJSON(), file, indent=1, allow_nan=False)
        file.write("\n")
    os.replace(temporary, path)


def read(path: str) -> Report:
    """
    @raise OSError: there is no such file.
    @raise ValueError: it has no results in it.
    """
    with open(path, encoding="utf-8") as file:
        data = json.load(file)
    if not isinstance(data, dict):
        raise ValueError(f"{path}: no results")
    return Report.fromJSON(data)
