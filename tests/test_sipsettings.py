"""
Tests of L{siprec.sipsettings}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.sipsettings import SIP_SETTINGS


class SipSettingsTests(SynchronousTestCase):
    """
    The rows about signalling.
    """

    def test_table(self) -> None:
        """
        All of them are in one table of the file.
        """
        self.assertEqual({each.key.partition(".")[0] for each in SIP_SETTINGS}, {"sip"})

    def test_defaults(self) -> None:
        """
        Every default is a value that the row's own check takes.
        """
        for each in SIP_SETTINGS:
            each.check(each.default)

    def test_choices(self) -> None:
        """
        What is none of the choices is refused.
        """
        checks = {each.key: each.check for each in SIP_SETTINGS}
        for key in ("sip.profile", "sip.tls_client", "sip.digest", "sip.idle_timeout"):
            self.assertRaises(ValueError, checks[key], "no such value")
