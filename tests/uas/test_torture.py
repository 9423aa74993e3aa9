"""
The torture tests of RFC 4475, through to what the recorder answers.
"""

from tests.sip.vectors import message
from tests.uas.torture import LINE, TortureTestCase


class ValidTests(TortureTestCase):
    """
    Messages that look wrong and are not, or whose flaws are forgiven.
    """

    def test_F_wsinv(self) -> None:
        """
        Odd blanks, folding and compact forms are read: it is of a dialog that is not here.
        """
        self.treated(
            "wsinv",
            481,
            message(
                fields={
                    "To": "sip:v@h ;   tag    = 19n",
                    "Contact": '"Q \\"\\"" <sip:c@h> ; newparam =\r\n v ;\r\n q = 0.33',
                },
                more="s :\r\nOdd: ;;,,;;,;\r\n",
            ),
        )

    def test_F_intmeth(self) -> None:
        """
        A method of odd characters is one that nobody knows.
        """
        self.treated(
            "intmeth", 501, message("!odd-Method0123456789_*+`.%indeed'~ sip:1_u.URI~@h SIP/2.0")
        )

    def test_F_esc01(self) -> None:
        """
        Escapes in the user are nobody's business.
        """
        self.treated(
            "esc01",
            403,
            message(
                "INVITE sip:sips%3Auser%40example.com@h SIP/2.0", {"Contact": "<sip:a%2541@h>"}
            ),
        )

    def test_F_escnull(self) -> None:
        """
        Escaped NULs are read; there is no registrar.
        """
        self.treated(
            "escnull",
            405,
            message(
                "REGISTER sip:h SIP/2.0", {"To": "sip:null-%00-null@h", "Contact": "<sip:%00@h>"}
            ),
        )

    def test_F_esc02(self) -> None:
        """
        Methods have no escapes: this is not REGISTER.
        """
        self.treated("esc02", 501, message("RE%47IST%45R sip:h SIP/2.0", more="C%6Fntact: x y\r\n"))

    def test_F_lwsdisp(self) -> None:
        """
        No blank is needed between a display name and its address.
        """
        self.treated(
            "lwsdisp",
            200,
            message("OPTIONS sip:h SIP/2.0", {"From": "caller<sip:caller@h>;tag=323"}),
        )

    def test_F_longreq(self) -> None:
        """
        Long values and 34 Via are read.
        """
        self.treated(
            "longreq",
            403,
            message(
                fields={"From": f"<sip:a@h>;tag={'very' * 100}", "Contact": "<sip:a@h>"},
                more="".join(f"v: SIP/2.0/TCP h{n}\r\n" for n in range(34)),
            ),
        )

    def test_F_dblreq(self) -> None:
        """
        What stands behind a message in its datagram is not looked at.
        """
        self.treated("dblreq", 405, message("REGISTER sip:h SIP/2.0") + b"\r\n" + message())

    def test_F_semiuri(self) -> None:
        """
        A user may have semicolons.
        """
        self.treated("semiuri", 200, message("OPTIONS sip:user;par=u%40example.net@h SIP/2.0"))

    def test_F_transports(self) -> None:
        """
        Transports that nobody knows may be in the lower Via.
        """
        self.treated(
            "transports",
            200,
            message("OPTIONS sip:h SIP/2.0", more="v: SIP/2.0/UNKNOWN h;branch=z9hG4bK1\r\n"),
        )

    def test_F_mpart01(self) -> None:
        """
        NULs in a body do no harm; messages are not for a recorder.
        """
        self.treated(
            "mpart01",
            405,
            message(
                "MESSAGE sip:h SIP/2.0",
                {"Content-Type": "multipart/mixed;boundary=7"},
                b"--7\r\n\r\n0\x00\n\x00\r\n--7--",
            ),
        )

    def test_F_unreason(self) -> None:
        """
        A reason phrase may be UTF-8; nobody awaits this response.
        """
        self.treated("unreason", None, message("SIP/2.0 200 = 2**3 \u043d\u043e"))

    def test_F_noreason(self) -> None:
        """
        A reason phrase may be empty; nobody awaits this response.
        """
        self.treated("noreason", None, message("SIP/2.0 100 "))

    def test_F_trws(self) -> None:
        """
        A blank behind the request line is forgiven.
        """
        self.treated("trws", 200, message("OPTIONS sip:remote@h SIP/2.0 "))

    def test_F_baddate(self) -> None:
        """
        A date that is none is not looked at.
        """
        self.treated(
            "baddate",
            403,
            message(fields={"Date": "Fri, 01 Jan 2010 16:00:00 EST", "Contact": "<sip:a@h>"}),
        )

    def test_F_regbadct(self) -> None:
        """
        There is no registrar, whatever the Contact is.
        """
        self.treated(
            "regbadct",
            405,
            message("REGISTER sip:h SIP/2.0", {"Contact": "sip:user@h?Route=%3Csip:h%3E"}),
        )

    def test_F_badbranch(self) -> None:
        """
        With nothing behind the magic cookie the rules for RFC 2543 match.
        """
        self.treated(
            "badbranch",
            200,
            message("OPTIONS sip:h SIP/2.0", {"Via": "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK"}),
        )

    def test_F_bcast(self) -> None:
        """
        A response with a further Via was meant for another.
        """
        self.treated(
            "bcast", None, message("SIP/2.0 200 OK", more="v: SIP/2.0/UDP 255.255.255.255\r\n")
        )

    def test_F_zeromf(self) -> None:
        """
        Max-Forwards is a matter of proxies.
        """
        self.treated("zeromf", 200, message("OPTIONS sip:h SIP/2.0", {"Max-Forwards": "0"}))

    def test_F_cparam01(self) -> None:
        """
        There is no registrar to judge a parameter of Contact.
        """
        self.treated(
            "cparam01",
            405,
            message("REGISTER sip:h SIP/2.0", {"Contact": "sip:+1972@gw;unknownparam"}),
        )

    def test_F_cparam02(self) -> None:
        """
        Nor one of its URI.
        """
        self.treated(
            "cparam02",
            405,
            message("REGISTER sip:h SIP/2.0", {"Contact": "<sip:+1972@gw;unknownparam>"}),
        )

    def test_F_regescrt(self) -> None:
        """
        Nor its headers.
        """
        self.treated(
            "regescrt",
            405,
            message("REGISTER sip:h SIP/2.0", {"Contact": "<sip:user@h?Route=%3Csip:h%3E>"}),
        )

    def test_F_inv2543(self) -> None:
        """
        A peer of RFC 2543 is listened to.
        """
        self.treated(
            "inv2543",
            403,
            message(
                fields={
                    "Via": "SIP/2.0/UDP 192.0.2.7",
                    "From": "<sip:a@h>",
                    "Max-Forwards": None,
                    "Content-Length": None,
                    "Contact": "<sip:a@h>",
                    "Record-Route": "<sip:services.example.com>",
                },
                body=LINE,
            ),
        )
