"""
Tests for L{siprec.sip.sessiontimer}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.headers import Headers
from siprec.sip.message import Request, Response
from siprec.sip.sessiontimer import (
    Agreed,
    TimerSettings,
    TooSmall,
    longer,
    negotiate,
    refreshed,
)

SUPPORTED = ("Supported", "replaces, Timer")
DEFAULT = TimerSettings()


def negotiated(*headers: tuple[str, str], settings: TimerSettings = DEFAULT) -> Agreed | TooSmall:
    """
    @return: what comes of an INVITE with these headers.
    """
    return negotiate(Request("INVITE", "sip:srs@h", Headers(headers)), settings)


class NegotiateTests(SynchronousTestCase):
    """
    RFC 4028 section 9, table 2, as CONFORMANCE D.4 decides the open cells.
    """

    def test_D4_refresherOpen(self) -> None:
        """
        The peer supports timers and leaves the refresher open: it is the peer, which the
        2xx has to require.
        """
        agreed = negotiated(SUPPORTED, ("Session-Expires", "1800"), ("Min-SE", "90"))
        self.assertEqual(
            agreed,
            Agreed(
                1800,
                "uac",
                (("Require", "timer"), ("Session-Expires", "1800;refresher=uac")),
                ours=False,
            ),
        )

    def test_D4_refresherPeer(self) -> None:
        """
        The peer wants to refresh: it does.
        """
        agreed = negotiated(SUPPORTED, ("Session-Expires", "600 ; Refresher=UAC"))
        assert isinstance(agreed, Agreed)
        self.assertEqual((agreed.interval, agreed.refresher, agreed.ours), (600, "uac", False))
        self.assertIn(("Require", "timer"), agreed.headers)

    def test_D4_refresherWe(self) -> None:
        """
        The peer wants us to refresh: we do, and require nothing.
        """
        agreed = negotiated(SUPPORTED, ("x", "600;refresher=uas"))
        self.assertEqual(
            agreed, Agreed(600, "uas", (("Session-Expires", "600;refresher=uas"),), ours=True)
        )

    def test_D4_notSupported(self) -> None:
        """
        A peer that does not support timers, with an interval that a proxy put in or even
        with a refresher, gets none; so its interval cannot be too small either.
        """
        for expires in ("1800", "1800;refresher=uac", "600;refresher=uas", "10"):
            self.assertEqual(negotiated(("Session-Expires", expires)), Agreed())
            odd = negotiated(("Supported", "timers"), ("Session-Expires", expires))
            self.assertEqual(odd, Agreed())

    def test_required(self) -> None:
        """
        To require timers is to support them.
        """
        agreed = negotiated(("Require", "timer"), ("Session-Expires", "600"))
        assert isinstance(agreed, Agreed)
        self.assertEqual(agreed.interval, 600)

    def test_D4_notAsked(self) -> None:
        """
        No timer is proposed where the peer asks for none; this also ends one that was
        agreed before.
        """
        self.assertEqual(negotiated(SUPPORTED), Agreed())
        self.assertEqual(negotiated(SUPPORTED, ("Min-SE", "90")), Agreed())
        self.assertEqual((Agreed().refreshAfter, Agreed().giveUpAfter), (None, None))

    def test_malformed(self) -> None:
        """
        A header that cannot be read is ignored; so is a refresher that does not exist.
        """
        for expires in ("", "soon", "-1", "1e3", "٣٠٠", "9" * 5000, ";refresher=uac"):
            self.assertEqual(negotiated(SUPPORTED, ("Session-Expires", expires)), Agreed())
        agreed = negotiated(SUPPORTED, ("Session-Expires", "600;refresher=me"))
        assert isinstance(agreed, Agreed)
        self.assertEqual(agreed.refresher, "uac")
        agreed = negotiated(SUPPORTED, ("Session-Expires", "9999999999"))
        assert isinstance(agreed, Agreed)
        self.assertEqual(agreed.interval, 2**32 - 1)

    def test_D4_tooSmall(self) -> None:
        """
        An interval below our minimum is refused with that minimum; the minimum itself is
        good enough.
        """
        small = negotiated(SUPPORTED, ("Session-Expires", "89"))
        self.assertEqual(small, TooSmall(90))
        assert isinstance(small, TooSmall)
        self.assertEqual(small.headers, (("Min-SE", "90"),))
        self.assertIsInstance(negotiated(SUPPORTED, ("Session-Expires", "90")), Agreed)
        strict = TimerSettings(minSE=600)
        self.assertEqual(
            negotiated(SUPPORTED, ("Session-Expires", "599"), settings=strict), TooSmall(600)
        )

    def test_settings(self) -> None:
        """
        No minimum may be below 90 seconds (RFC 4028 section 4).
        """
        self.assertRaises(ValueError, TimerSettings, minSE=89)


class TimesTests(SynchronousTestCase):
    """
    When to refresh and when to give up.
    """

    def test_D4_refresh(self) -> None:
        """
        The side that refreshes does so after half the interval, the other never.
        """
        self.assertEqual(Agreed(1800, "uas", ours=True).refreshAfter, 900)
        self.assertIsNone(Agreed(1800, "uac").refreshAfter)

    def test_D4_giveUp(self) -> None:
        """
        The BYE goes out 32 s, or a third of the interval, before the session expires,
        whichever is later.
        """
        self.assertEqual(Agreed(1800, "uac").giveUpAfter, 1768)
        self.assertEqual(Agreed(96, "uac").giveUpAfter, 64)
        self.assertEqual(Agreed(90, "uac").giveUpAfter, 60)


class OurRefreshTests(SynchronousTestCase):
    """
    Requests of ours in a session with a timer (RFC 4028 sections 7.2 to 7.4).
    """

    def settled(self, *headers: tuple[str, str]) -> Agreed:
        """
        @return: what a 200 with these headers settles.
        """
        return refreshed(Response(200, "OK", Headers(headers)))

    def test_rolesStay(self) -> None:
        """
        Whoever refreshed goes on doing it: the roles are named from the point of view of
        the request, so they turn round with it.
        """
        self.assertEqual(
            Agreed(600, "uas", ours=True).refreshHeaders,
            (("Supported", "timer"), ("Session-Expires", "600;refresher=uac")),
        )
        self.assertEqual(
            Agreed(600, "uac").refreshHeaders,
            (("Supported", "timer"), ("Session-Expires", "600;refresher=uas")),
        )
        self.assertEqual(Agreed().refreshHeaders, (("Supported", "timer"),))

    def test_settled(self) -> None:
        """
        The 2xx decides over interval and refresher.
        """
        self.assertEqual(
            self.settled(("Session-Expires", "300;refresher=uac")), Agreed(300, "uac", ours=True)
        )
        self.assertEqual(self.settled(("Session-Expires", "300;refresher=uas")), Agreed(300, "uas"))
        self.assertEqual(self.settled(("Session-Expires", "300")), Agreed(300, "uac", ours=True))
        self.assertEqual(self.settled(("Session-Expires", "1")).interval, 90)

    def test_noExpiry(self) -> None:
        """
        Without Session-Expires in the 2xx the session does not expire.
        """
        self.assertEqual(self.settled(("Require", "timer")), Agreed())

    def test_tooSmallForThem(self) -> None:
        """
        A 422 says which interval to try.
        """
        self.assertEqual(longer(Response(422, "", Headers([("Min-SE", "1800")]))), 1800)
        self.assertIsNone(longer(Response(422, "", Headers())))
