"""
The torture tests of RFC 4475, through to what the recorder answers.
"""

from tests.sip.vectors import SDP, message
from tests.uas.torture import LINE, TortureTestCase


class InvalidTests(TortureTestCase):
    """
    Messages that are wrong, or ask for what there is not.
    """

    def test_F_badinv01(self) -> None:
        """
        Stray separators in what transactions rest on are refused.
        """
        self.treated("badinv01", 400, message(fields={"Via": "SIP/2.0/UDP 192.0.2.15;;,;,,"}))

    def test_F_clerr(self) -> None:
        """
        A datagram shorter than it says is refused.
        """
        self.treated("clerr", 400, message(fields={"Content-Length": "9999"}, body=SDP))

    def test_F_ncl(self) -> None:
        """
        A length below 0 is refused.
        """
        self.treated("ncl", 400, message(fields={"Content-Length": "-999"}, body=SDP))

    def test_F_scalar02(self) -> None:
        """
        A number out of its range is refused.
        """
        self.treated(
            "scalar02",
            400,
            message("REGISTER sip:h SIP/2.0", {"CSeq": "36893488147419103232 REGISTER"}),
        )

    def test_F_scalarlg(self) -> None:
        """
        A response with a number out of its range is dropped.
        """
        self.treated(
            "scalarlg", None, message("SIP/2.0 503 No", {"CSeq": "9292394834772304023312 OPTIONS"})
        )

    def test_F_quotbal(self) -> None:
        """
        A quotation that does not end is refused.
        """
        self.treated(
            "quotbal", 400, message(fields={"To": '"Mr. J. User <sip:j.user@example.com>'})
        )

    def test_F_ltgtruri(self) -> None:
        """
        Angle brackets around the Request-URI are refused.
        """
        self.treated("ltgtruri", 400, message("INVITE <sip:u@h> SIP/2.0"))

    def test_F_lwsruri(self) -> None:
        """
        A blank within the Request-URI is refused.
        """
        self.treated("lwsruri", 400, message("INVITE sip:u@h; lr SIP/2.0"))

    def test_F_lwsstart(self) -> None:
        """
        Two blanks in the request line are refused.
        """
        self.treated("lwsstart", 400, message("INVITE  sip:u@h  SIP/2.0"))

    def test_F_escruri(self) -> None:
        """
        Headers in the Request-URI are refused.
        """
        self.treated("escruri", 400, message("INVITE sip:u@h?Route=%3Csip:h%3E SIP/2.0"))

    def test_F_badaspec(self) -> None:
        """
        Blanks within an address are refused.
        """
        self.treated(
            "badaspec", 400, message("OPTIONS sip:h SIP/2.0", {"To": '"W, T" < sip:t.w@h >'})
        )

    def test_F_baddn(self) -> None:
        """
        A display name with a comma needs quotes.
        """
        self.treated(
            "baddn",
            400,
            message("OPTIONS sip:h SIP/2.0", {"From": "Bell, Alexander <sip:a@h>;tag=43"}),
        )

    def test_F_badvers(self) -> None:
        """
        Another version of SIP is told what there is.
        """
        self.treated(
            "badvers", 505, message("OPTIONS sip:h SIP/7.0", {"Via": "SIP/7.0/UDP 192.0.2.7"})
        )

    def test_F_mismatch01(self) -> None:
        """
        The method of CSeq must be the request's.
        """
        self.treated("mismatch01", 400, message("OPTIONS sip:h SIP/2.0", {"CSeq": "8 INVITE"}))

    def test_F_mismatch02(self) -> None:
        """
        So it must be for methods that nobody knows.
        """
        self.treated("mismatch02", 400, message("NEWMETHOD sip:h SIP/2.0", {"CSeq": "8 INVITE"}))

    def test_F_bigcode(self) -> None:
        """
        A status of more than three digits is dropped.
        """
        self.treated("bigcode", None, message("SIP/2.0 4294967301 better not break"))

    def test_F_insuf(self) -> None:
        """
        A request without mandatory headers is refused.
        """
        self.treated("insuf", 400, message(fields={"Call-ID": None, "From": None, "To": None}))

    def test_F_unkscm(self) -> None:
        """
        A scheme that nobody knows cannot be served.
        """
        self.treated("unkscm", 416, message("OPTIONS nobodyKnowsThisScheme:opaque SIP/2.0"))

    def test_F_novelsc(self) -> None:
        """
        Nor can one that is not SIP's.
        """
        self.treated("novelsc", 416, message("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0"))

    def test_F_unksm2(self) -> None:
        """
        Schemes of other headers are not looked at.
        """
        self.treated(
            "unksm2",
            405,
            message(
                "REGISTER sip:h SIP/2.0", {"To": "isbn:2983792873", "From": "<http://h>;tag=3"}
            ),
        )

    def test_F_bext01(self) -> None:
        """
        Extensions that are required and unknown are named.
        """
        self.treated(
            "bext01",
            420,
            message(
                "OPTIONS sip:h SIP/2.0",
                {"Require": "nothingSupportsThis, norThis", "Proxy-Require": "noProxies"},
            ),
        )

    def test_F_invut(self) -> None:
        """
        A body of a type that nobody knows cannot be taken.
        """
        self.treated(
            "invut", 415, message(fields={"Content-Type": "application/unknownformat"}, body=b"x")
        )

    def test_F_regaut01(self) -> None:
        """
        There is no registrar, whatever the credentials are.
        """
        self.treated(
            "regaut01",
            405,
            message(
                "REGISTER sip:h SIP/2.0", {"Authorization": "NoOneKnowsThisScheme opaque-data=here"}
            ),
        )

    def test_F_multi01(self) -> None:
        """
        Single headers that come twice are refused.
        """
        self.treated("multi01", 400, message(more="CSeq: 5 INVITE\r\ni: other\r\n"))

    def test_F_mcl01(self) -> None:
        """
        So are two different lengths.
        """
        self.treated(
            "mcl01", 400, message("OPTIONS sip:h SIP/2.0", more="Content-Length: 5\r\n", body=SDP)
        )

    def test_F_sdp01(self) -> None:
        """
        A peer that takes no SDP cannot be answered.
        """
        self.treated(
            "sdp01",
            406,
            message(
                fields={"Accept": "text/nobodyKnowsThis", "Content-Type": "application/sdp"},
                body=LINE,
            ),
        )
