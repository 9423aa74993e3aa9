"""
Tests of L{siprec.metadata.dialect}.
"""

from datetime import UTC, datetime, timedelta, timezone
from time import process_time

from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.dialect import isKnownNamespace, makeNameID, parseTime, plainName
from siprec.metadata.model import NameID, Time


class NameTests(SynchronousTestCase):
    """
    Names of elements, attributes and namespaces.
    """

    def test_B3_plainName(self) -> None:
        """
        Case, hyphens and underscores do not count, and the drafts' names are the
        RFC's.
        """
        for name in ("dataMode", "datamode", "DATA_MODE"):
            self.assertEqual(plainName(name), "datamode")
        self.assertEqual(plainName("session-id"), plainName("session_id"))
        self.assertEqual(plainName("recording_metadata"), "recording")
        self.assertEqual(plainName("group-ref"), "group")
        self.assertEqual(plainName("participantsession"), "participantsessionassoc")
        self.assertEqual(plainName("disassociate-time"), "disassociate")

    def test_B3_knownNamespaces(self) -> None:
        """
        The RFC's, the drafts' and none; no other.
        """
        for known in (
            "",
            "urn:ietf:params:xml:ns:recording:1",
            "urn:ietf:params:xml:ns:recording",
            "URN:ietf:params:xml:ns:recording/",
            "urn:ietf:params:xml:ns:siprec",
        ):
            self.assertTrue(isKnownNamespace(known), known)
        for other in ("urn:ietf:params:xml:ns:callData", "http://AudioCodes"):
            self.assertFalse(isKnownNamespace(other), other)


class TimeTests(SynchronousTestCase):
    """
    Times as they are sent.
    """

    def test_B3_forms(self) -> None:
        """
        RFC 3339, and what is sent in its place (CONFORMANCE J6).
        """
        moment = datetime(2026, 11, 22, 17, 48, 33, tzinfo=UTC)
        for raw in (
            "2026-11-22T17:48:33Z",
            "2026-11-22t17:48:33z",
            "2026-11-22 17:48:33+00:00",
            "2026-11-22T18:48:33+0100",
            "2026-11-22T12:48:33-05:00",
            "2026-11-22T17:48:33.000000000Z",
        ):
            self.assertEqual(parseTime(raw), Time(raw, moment), raw)

    def test_B3_blanksAndFractions(self) -> None:
        """
        Blanks around a time are no part of it; fractions are kept.
        """
        time = parseTime("\n 2026-01-05T09:00:00.25Z ")
        self.assertEqual(time.raw, "2026-01-05T09:00:00.25Z")
        self.assertEqual(time.value, datetime(2026, 1, 5, 9, 0, 0, 250000, UTC))

    def test_B3_withoutZone(self) -> None:
        """
        A time without a zone is in that of the peer, UTC unless told otherwise,
        and marked.
        """
        raw = "2019-04-08T11:10:33"
        self.assertEqual(parseTime(raw), Time(raw, datetime(2019, 4, 8, 11, 10, 33, 0, UTC), True))
        east = timezone(timedelta(hours=2))
        value = datetime(2019, 4, 8, 9, 10, 33, 0, UTC)
        self.assertEqual(parseTime(raw, east), Time(raw, value, True))

    def test_B3_leapSecond(self) -> None:
        """
        The second 60, which RFC 3339 permits, is the next minute's first.
        """
        self.assertEqual(parseTime("2016-12-31T23:59:60Z").value, datetime(2017, 1, 1, tzinfo=UTC))

    def test_B3_noTime(self) -> None:
        """
        What is no time, or beyond any calendar, has no value but keeps its text.
        """
        for raw in ("", "yesterday", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+10:00"):
            self.assertEqual(parseTime(raw), Time(raw, None), raw)


class NameIDTests(SynchronousTestCase):
    """
    Addresses of record and names as they are sent.
    """

    def test_B3_plain(self) -> None:
        """
        A URI, a number, a user at a host: all stay as they are.
        """
        for aor in ("sip:a@b;user=phone", "7602922411", "2249888500@172.16.198.55", "tel:+1"):
            self.assertEqual(makeNameID(f" {aor}\n"), NameID(aor))

    def test_B3_nameAddr(self) -> None:
        """
        The display name in front of a URI in angle brackets is the name, unless
        there is another.
        """
        self.assertEqual(makeNameID('"Ann B" <sip:a@b>'), NameID("sip:a@b", "Ann B"))
        self.assertEqual(makeNameID("Ann <sip:a@b>"), NameID("sip:a@b", "Ann"))
        self.assertEqual(makeNameID("<sip:a@b>", "Other"), NameID("sip:a@b", "Other"))

    def test_linear(self) -> None:
        """
        A long run of blanks costs no more than in proportion, wherever it is.
        """
        blanks = " \n" * 200_000
        for aor in (
            f"sip:{blanks}a@b",
            f'"x"{blanks}y',
            f'"{blanks}',
            f"{blanks}<sip:a@b",
            f"x{blanks}<",
        ):
            start = process_time()
            makeNameID(aor)
            # Not a measure of speed: with the square of the size it took minutes.
            self.assertLess(process_time() - start, 3)

    def test_B3_blankName(self) -> None:
        """
        A name of one blank is none.
        """
        self.assertEqual(makeNameID("sip:a@b", " "), NameID("sip:a@b"))

    def test_B3_languageInName(self) -> None:
        """
        A language hanging on the name is taken off it, without overriding the
        proper one.
        """
        self.assertEqual(
            makeNameID("sip:a@b", "test_user;lang=en-US"), NameID("sip:a@b", "test_user", "en-US")
        )
        self.assertEqual(makeNameID("sip:a@b", "x;lang=en", "it"), NameID("sip:a@b", "x", "it"))
        self.assertEqual(makeNameID("sip:a@b", "x;y=1"), NameID("sip:a@b", "x;y=1"))
