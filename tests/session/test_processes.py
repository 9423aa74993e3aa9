"""
Tests of L{siprec.session.processes}.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any
from unittest import skipUnless

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from siprec.session.model import NodeLease
from siprec.session.processes import isGone, thisProcess
from tests.store.samples import makeLease


@skipUnless(os.path.exists("/proc/self/ns/pid"), "it is Linux that tells so much of a process")
class IsGoneTests(SynchronousTestCase):
    """
    Leases of processes, dead and alive.
    """

    def lease(self, pid: int, data: Mapping[str, Any]) -> NodeLease:
        """
        @return: the lease of a process.
        """
        return evolve(makeLease(), pid=pid, data=data)

    def child(self) -> subprocess.Popen[bytes]:
        """
        @return: a process that lives until its input ends.
        """
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(child.wait)
        assert child.stdin is not None
        self.addCleanup(child.stdin.close)
        return child

    def started(self, pid: int) -> str:
        """
        @return: when a process of ours started.
        """
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[19]

    def test_thisProcess(self) -> None:
        """
        A process is known by the kernel's life, its namespace and its start.
        """
        facts = thisProcess()
        self.assertEqual(sorted(facts), ["boot", "netNamespace", "pidNamespace", "started"])
        self.assertEqual(facts["started"], self.started(os.getpid()))
        self.assertEqual(facts, thisProcess())

    def test_alive(self) -> None:
        """
        A process that lives is not gone, unless what lives there started at
        another time: then the number was given to another.
        """
        child = self.child()
        facts = {**thisProcess(), "started": self.started(child.pid)}
        self.assertFalse(isGone(self.lease(child.pid, facts)))
        self.assertTrue(isGone(self.lease(child.pid, {**facts, "started": "1"})))

    def test_killed(self) -> None:
        """
        A process that was killed is gone, even before its parent has noticed.
        """
        child = self.child()
        facts = {**thisProcess(), "started": self.started(child.pid)}
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        self.assertTrue(isGone(self.lease(child.pid, facts)))
        child.wait()
        self.assertTrue(isGone(self.lease(child.pid, facts)))

    def test_sameNumber(self) -> None:
        """
        The first process of a container has the same number each time: whoever
        had ours before is gone.
        """
        self.assertTrue(isGone(self.lease(os.getpid(), {**thisProcess(), "started": "1"})))

    def test_elsewhere(self) -> None:
        """
        Of a process on another machine, in another container, or before a
        restart of the machine, nothing is known; nor of a lease that does not
        say.
        """
        facts = thisProcess()
        pid = os.getpid()
        for data in ({}, {**facts, "boot": "other"}, {**facts, "pidNamespace": "pid:[1]"}):
            self.assertFalse(isGone(self.lease(pid, data)))

    def test_garbage(self) -> None:
        """
        A process id that cannot be one is not asked for.
        """
        for pid in (0, -1):
            self.assertFalse(isGone(self.lease(pid, thisProcess())))

    def test_otherUser(self) -> None:
        """
        What may not be looked at is alive.
        """

        def refused(pid: int, signal: int) -> None:
            raise PermissionError(1, "Operation not permitted")

        self.patch(os, "kill", refused)
        self.assertFalse(isGone(self.lease(2**22, thisProcess())))

    def test_otherSystem(self) -> None:
        """
        Where the system does not say what a process is, no one is known to be
        gone.
        """

        def missing(path: str) -> str:
            raise FileNotFoundError(2, "No such file or directory", path)

        facts = thisProcess()
        self.patch(os, "readlink", missing)
        self.assertEqual(thisProcess(), {})
        self.assertFalse(isGone(self.lease(os.getpid(), facts)))
