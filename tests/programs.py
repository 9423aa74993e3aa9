"""
Programs of other projects that some tests run.

A test that needs one says so here, and is skipped where the program is not
installed.  Where C{SIPREC_REQUIRE_PROGRAMS} is C{1}, L{tests.run} counts such
a skip as a failure, so that it cannot go unnoticed.
"""

import importlib.util
import platform
import shutil
import sys
from collections.abc import Callable
from typing import TypeVar

from twisted.trial.unittest import SkipTest

__all__ = [
    "MODULES",
    "NAMESPACES",
    "PACKAGES",
    "isMissingProgram",
    "require",
    "requireModule",
    "requires",
]

_Test = TypeVar("_Test", bound=Callable[..., object])

PACKAGES = {
    "ip": "iproute2",
    "kamailio": "kamailio",
    "redis-sentinel": "redis-sentinel",
    "redis-server": "redis-server",
    "sipp": "sip-tester",
    "sox": "sox",
    "ssh": "openssh-client",
    "tshark": "tshark",
}
"""
The programs that tests may need, each with the Debian package it comes in.
"""


MODULES = {
    "av": "av",
    "pjsua2": "pjsua2-python",
    "sipral": "sipral",
}
"""
Clients and senders of other projects that come as Python modules, each with its package;
PJSIP's has wheels for Python 3.11 and 3.12 on x86_64 only, Sipral's for Linux.
"""

NAMESPACES = "needs network namespaces (root, or CAP_SYS_ADMIN and CAP_NET_ADMIN)"
"""
How the reason begins for which a test is skipped where none can be made.
"""


def require(*programs: str) -> None:
    """
    Let the running test go on only if the programs are installed; for C{setUp}.

    @raise SkipTest: the first one missing, as C{needs PROGRAM (...)}.
    """
    reason = _missing(programs)
    if reason:
        raise SkipTest(reason)


def requireModule(name: str) -> None:
    """
    Let the running test go on only if a module of L{MODULES} is installed.

    @raise SkipTest: it is missing.
    """
    if importlib.util.find_spec(name) is None:
        raise SkipTest(_needed(name))


def requires(*programs: str) -> Callable[[_Test], _Test]:
    """
    Make a decorator that skips a test method, or all of a class, unless the
    programs are installed.
    """
    reason = _missing(programs)

    def decorate(test: _Test) -> _Test:
        if reason:
            test.skip = reason  # type: ignore[attr-defined]
        return test

    return decorate


def isMissingProgram(reason: str) -> bool:
    """
    @return: whether a test was skipped because something is missing that CI has
        to have: one of the programs, or the right to make network namespaces.
    """
    missing = {*map(_reason, PACKAGES), *map(_needed, filter(_hasWheel, MODULES))}
    return reason in missing or reason.startswith(NAMESPACES)


def _missing(programs: tuple[str, ...]) -> str:
    for program in programs:
        reason = _reason(program)
        if shutil.which(program) is None:
            return reason
    return ""


def _hasWheel(module: str) -> bool:
    """
    @return: whether C{pip install .[test]} brings a module here: the markers in
        C{setup.cfg} say the same.
    """
    if sys.platform != "linux":
        return False
    if module == "pjsua2":
        return platform.machine() == "x86_64" and sys.version_info < (3, 13)
    return platform.machine() in ("x86_64", "aarch64")


def _needed(module: str) -> str:
    return f"needs {module} (Python package {MODULES[module]})"


def _reason(program: str) -> str:
    return f"needs {program} (Debian package {PACKAGES[program]})"
