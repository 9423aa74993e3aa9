"""
The rules of signalling and metadata that the recorder is held to, by their numbers.
"""

from __future__ import annotations

from attrs import frozen


@frozen
class Rule:
    """
    @ivar number: as tests are named after it, a blank for each underscore.
    @ivar asks: what it asks, in short.
    @ivar lacks: what of it is not done and why; empty if all is.
    """

    number: str
    asks: str
    lacks: str = ""

    @property
    def key(self) -> str:
        """
        As in the names of tests.
        """
        return self.number.replace(" ", "_").replace(".", "_")


@frozen
class Section:
    """
    Rules that belong together.
    """

    title: str
    rules: tuple[Rule, ...]


_RECOGNISING = Section(
    "A.1 Which INVITE asks for a recording (RFC 7866)",
    (
        Rule("A1", "``strict``: both ``+sip.src`` and ``siprec``, else 403 with a Warning"),
        Rule("A2", "the tag is found wherever SBCs put it: header parameter, URI, bare ``src``"),
        Rule("A3", "``lenient``: any one sign; ``legacy``: also media that is only sent"),
        Rule("A4", "``+sip.srs`` in every Contact of ours, as a header parameter"),
        Rule(
            "A5",
            "feature tags are boolean, in every form; ``+sip.srs`` when registering",
            "the recorder registers nowhere",
        ),
        Rule("A6", "420 names the unknown option tags only; not in ACK and CANCEL"),
        Rule("A7", "``siprec`` neither in our Supported nor in Require of a response"),
        Rule("A8", "``a=record`` and ``a=recordpref`` are read over and never sent"),
    ),
)

_DESCRIPTIONS = Section(
    "A.2 Session descriptions (RFC 7866 section 7, RFC 3264)",
    (
        Rule("A10", "``recvonly``; ``inactive`` while not ready, then a new offer of ours"),
        Rule("A11", "as many lines as offered, in order; the table of directions"),
        Rule(
            "A12",
            "many audio lines at once",
            "only audio is recorded; video is refused with port 0",
        ),
        Rule("A13", "no line is ever added by the recorder"),
        Rule("A14", "labels are echoed; streams are bound by label, order or elimination"),
        Rule("A15", "labels of an UPDATE without SDP are those of the SDP before"),
        Rule("A16", "lines are added, removed and used again; ``inactive`` is a pause"),
        Rule("A16b", "UPDATE is taken, whatever the peer's Allow says"),
        Rule("A17", "hold by ``c=0.0.0.0``"),
        Rule("A18", "an INVITE without an offer gets ours"),
        Rule("A19", "versions of ``o=``, theirs and ours"),
        Rule("A19b", "what the parser forgives"),
        Rule("A19c", "other media are refused with port 0; BUNDLE is dropped"),
        Rule("A20", "payload types, their order and their companions"),
    ),
)

_DELIVERY = Section(
    "A.3 How metadata comes (RFC 7866 section 9, RFC 9806, RFC 5621)",
    (
        Rule("A30", "both media types, and the peer's own in what we send"),
        Rule("A31", "multipart bodies, nested ones, and bare metadata"),
        Rule("A32", "metadata is known by type, disposition or root element"),
        Rule("A33", "what is forgiven in MIME; bodies are kept byte for byte"),
        Rule("A34", "metadata in BYE, INFO and every other request"),
        Rule("A35", "a call without metadata is recorded"),
        Rule("A36", "a partial document before any complete one"),
        Rule("A37", "in the order of the CSeq, and never twice"),
        Rule("A38", "metadata that cannot be read costs nothing but itself"),
        Rule("A39", "a snapshot is asked for by UPDATE alone"),
        Rule("A40", "only of a peer that takes UPDATE, and never again after a refusal"),
        Rule("A41", "the media type of old drafts is not used"),
        Rule("A42", "identifiers of other sessions, and of two elements"),
        Rule("A43", "several recording sessions of one call"),
    ),
)

_METADATA = Section(
    "B Metadata (RFC 7865)",
    (
        Rule("B1", "every element and attribute; what we write is valid against the schema"),
        Rule("B2", "intervals of associations"),
        *(
            Rule(f"B2 {number}", asks)
            for number, asks in enumerate(
                (
                    "state by identifier, associations as intervals",
                    "a complete document closes what it lacks, and removes nothing",
                    "a partial one changes what it mentions",
                    "send and recv are replaced, both",
                    "times begin, end, repair or confirm an interval",
                    "a stop-time ends everything in its session",
                    "a label that is claimed anew ends the stream that had it",
                    "references to what is not defined",
                    "extension data is replaced by parent and name",
                    "a document that is applied again changes nothing; partials fold",
                    "an identifier of two elements counts for the first",
                ),
                1,
            )
        ),
        Rule("B3", "what the parser forgives, and what it refuses"),
        Rule("B4", "every dialect, in every request: never refused"),
        Rule("B4 Cisco", "CUBE: elements in any order"),
        Rule("B4 CiscoNBR", "no metadata: headers say who takes part"),
        Rule("B4 Oracle", "draft shape, times without a zone, unquoted attributes, UCID"),
        Rule("B4 Ribbon", "any prefix, ``Partial``, participants without names in BYE"),
        Rule("B4 Avaya", "a placeholder first, then an UPDATE; UCID as session"),
        Rule("B4 BroadWorks", "``recording_metadata``, and Webex Calling"),
        Rule("B4 Metaswitch", "a mixed line, mixed names of attributes"),
        Rule("B4 AudioCodes", "legacy format, bare line ends, UCID and UUID"),
        Rule("B4 OpenSIPS", "zones without a colon, a language inside the name"),
        Rule("B4 SEMS", "SEMS, jambonz: legs as labels, extension data at the top"),
    ),
)

_FLOWS = Section(
    "C Call flows (RFC 8068)",
    (
        Rule("C", "the examples of the RFCs, merged in the order of their flows"),
        Rule("C 321", "basic, unmixed audio and video"),
        Rule("C 322", "hold and resume"),
        Rule("C 323", "transfer, by re-INVITE and by REFER"),
        Rule("C 324", "metadata in the BYE"),
        Rule("C 331", "a focus that mixes; hold and resume"),
        Rule("C 333", "join and drop"),
        Rule("C 341", "a persistent recording session: re-INVITE without SDP"),
        Rule("C 35", "turrets: two sessions in one mixed stream"),
    ),
)

_MEDIA = Section(
    "E Media",
    (
        Rule("E1", "ports in pairs, ``a=rtcp``, RTCP beside RTP or on its port, all by arrival"),
        Rule(
            "E2",
            "codecs and their clocks; payload types that change in mid-call; one rate for all",
            "G.723, G.726 and EVS are kept as they came, and not decoded",
        ),
        Rule("E3", "digits (RFC 4733, and INFO): once each, chained ones, lost ends"),
        Rule("E4", "DTX and comfort noise: silence as long as it was, and no loss"),
        Rule(
            "E5",
            "sequence numbers (RFC 3550 appendix A.1): wraps, order, duplicates, loss, resync",
            "of Opus a lost packet is concealed, but not taken from the next one (FEC): "
            "FFmpeg does not give it",
        ),
        Rule("E6", "SSRC: changes, restarts, collisions; one is heard at a time, in its time"),
        Rule(
            "E7",
            "RTCP is sent: reports, SDES, BYE, keepalive of what is inactive",
            "two members are counted, whoever else may be in the session; no early feedback (AVPF)",
        ),
        Rule("E8", "SRTP with keys in the description (RFC 4568)"),
        Rule("E9", "DTLS-SRTP (RFC 5763)", "it is refused, so that clients send otherwise"),
        Rule("E10", "ICE-lite", "what offers ICE is answered without it"),
        Rule(
            "E11",
            "media of the described address only, or of the first consistent one behind NAT;"
            " strangers are counted and never recorded",
        ),
        Rule("E12", "media before the answer and after the end"),
        Rule(
            "E13",
            "the time line: legs in step within 20 ms, whatever networks and clocks do",
            "sender reports are used for the skew and not for where a leg is placed: they tell "
            "the timestamp of the last packet, and arrivals know it better",
        ),
        Rule("E14", "signs of life of a call without media"),
    ),
)

_TRANSACTIONS = Section(
    "D.1 Transactions",
    (
        Rule("D1", "the four machines, RFC 6026, RFC 4320, the 2xx that the dialog repeats"),
        Rule("D1 timerA", "INVITE client: repeated after T1, doubling, over UDP only"),
        Rule("D1 timerB", "INVITE client: given up after 64*T1"),
        Rule("D1 timerC", "a proxy's", "the recorder is no proxy"),
        Rule("D1 timerD", "INVITE client: a repeated rejection is acknowledged for 32 s"),
        Rule("D1 timerE", "other client: repeated after T1, doubling up to T2"),
        Rule("D1 timerF", "other client: given up after 64*T1"),
        Rule("D1 timerG", "INVITE server: a rejection is repeated, doubling up to T2"),
        Rule("D1 timerH", "INVITE server: no ACK is awaited after 64*T1"),
        Rule("D1 timerI", "INVITE server: further ACKs are absorbed for T4"),
        Rule("D1 timerJ", "other server: copies get the same answer for 64*T1"),
        Rule("D1 timerK", "other client: further responses are absorbed for T4"),
        Rule("D1 timerL", "INVITE server: after a 2xx copies are absorbed for 64*T1"),
        Rule("D1 timerM", "INVITE client: each further 2xx is given to the user for 64*T1"),
    ),
)

_TRANSPORT = Section(
    "D.2 Transport",
    (
        Rule(
            "D2",
            "framing, keepalives, responses by Via, reuse of connections",
            "no WebSocket, which no session recording client speaks",
        ),
        Rule("D2 large", "requests above 1,300 bytes go over TCP, and over UDP if that fails"),
        Rule("D2 multihomed", "an answer leaves from the address that was asked"),
        Rule("D2 stun", "STUN Binding on the SIP port, of which nothing is amplified (RFC 8489)"),
        Rule("D2 locate", "NAPTR, SRV, A and AAAA, with failover (RFC 3263)"),
        Rule("D2 sips", "to a ``sips:`` URI nothing goes but over TLS, to the domain it names"),
    ),
)

_CHECKS = Section(
    "D.3 The checks of a request and their answers",
    (
        Rule("D3", "the order of RFC 3261 section 8.2; CANCEL; OPTIONS"),
        Rule("D3 400", "malformed, with a Warning"),
        Rule("D3 403", "nothing asks for a recording"),
        Rule("D3 405", "a method that others have: Allow says what there is"),
        Rule("D3 406", "the answer would be SDP, and the peer takes none"),
        Rule("D3 415", "a body of an unknown type: Accept says what is known"),
        Rule("D3 416", "only sip and sips URIs"),
        Rule("D3 420", "Require names what is not there"),
        Rule("D3 422", "a session interval too short, with Min-SE"),
        Rule("D3 481", "no such dialog"),
        Rule("D3 482", "the same INVITE by another way"),
        Rule("D3 483", "Max-Forwards 0 is taken: it is for proxies"),
        Rule("D3 487", "an INVITE that was cancelled, or ended by BYE"),
        Rule("D3 488", "nothing that can be recorded is offered"),
        Rule("D3 491", "an INVITE or an offer of ours is under way"),
        Rule("D3 493", "neither S/MIME nor sec-agree is there: 415 and 420 say so"),
        Rule("D3 500", "CSeq too low; with Retry-After: a second INVITE before the first answer"),
        Rule("D3 501", "a method that nobody knows"),
        Rule("D3 503", "no call can be taken, with Retry-After"),
        Rule("D3 505", "another version of SIP"),
        Rule("D3 603", "only to Replaces of a call that is over"),
    ),
)

_DIALOGS = Section(
    "D.4 Dialogs",
    (
        Rule("D4", "state, numbers, routes, session timers"),
        Rule("D4 strict", "strict routers, and peers of RFC 2543"),
        Rule("D4 target", "a request or 2xx may move the peer's target (RFC 6141)"),
        Rule("D4 reinvite", "one INVITE at a time, either way; 0 to 2 s after a 491"),
        Rule("D4 effects", "what an error reply ends (RFC 5057): nothing, the call, the dialog"),
        Rule("D4 offer", "one offer at a time (RFC 3264, RFC 3311)"),
        Rule("D4 offerless", "an INVITE without an offer gets ours; the ACK has the answer"),
        Rule("D4 timer", "session timers (RFC 4028)"),
        Rule("D4 100rel", "PRACK (RFC 3262): no reliable 1xx is ever sent"),
        Rule("D4 replaces", "Replaces (RFC 3891), as the side that is called, at every node"),
        Rule("D4 reason", "Reason is kept, and given with our BYE (RFC 3326)"),
        Rule("D4 info", "INFO without a package is taken, with one 469"),
        Rule("D4 fields", "what is kept of the first INVITE"),
        Rule("D4 overload", "feedback in Via (RFC 7339)"),
        Rule("D4 digest", "several algorithms (RFC 8760)"),
    ),
)


def _torture(*rows: tuple[str, str]) -> tuple[Rule, ...]:
    return tuple(Rule(f"F {name}", asks) for name, asks in rows)


_TORTURE = Section(
    "F Torture tests (RFC 4475, RFC 5118)",
    (
        Rule("F", "all at once: in datagrams, on streams, cut at every byte"),
        *_torture(
            ("wsinv", "odd blanks, folding, compact forms: never 400"),
            ("intmeth", "a method of odd characters: 501"),
            ("esc01", "escapes are undone once"),
            ("escnull", "escaped NULs: 405 to the REGISTER"),
            ("esc02", "no escapes in method names: 501"),
            ("lwsdisp", "no blank before the bracket: 200"),
            ("longreq", "long values, 34 Via: never 400"),
            ("dblreq", "octets behind the message: ignored"),
            ("semiuri", "semicolons in the user: 200"),
            ("transports", "unknown transports: 200"),
            ("mpart01", "NULs in a multipart body: 405 to the MESSAGE"),
            ("unreason", "UTF-8 in a reason phrase: dropped as a stray"),
            ("noreason", "an empty reason phrase: dropped as a stray"),
            ("badinv01", "stray separators: 400"),
            ("clerr", "Content-Length too large: 400; a stream waits"),
            ("ncl", "Content-Length negative: 400; a stream ends"),
            ("scalar02", "numbers out of range: 400"),
            ("scalarlg", "the same in a response: dropped"),
            ("quotbal", "an open quotation: 400"),
            ("ltgtruri", "brackets in the Request-URI: 400"),
            ("lwsruri", "blanks in the Request-URI: 400"),
            ("lwsstart", "two blanks in the request line: 400"),
            ("trws", "a blank behind the request line: forgiven"),
            ("escruri", "headers in the Request-URI: 400"),
            ("baddate", "a bad Date: ignored"),
            ("regbadct", "a bad Contact of a REGISTER: 405"),
            ("badaspec", "blanks within an address: 400"),
            ("baddn", "a display name without quotes: 400"),
            ("badvers", "another version: 505"),
            ("mismatch01", "CSeq of another method: 400"),
            ("mismatch02", "the same with an unknown method: 400"),
            ("bigcode", "a status that is none: dropped"),
            ("badbranch", "nothing behind the magic cookie: matched as in RFC 2543"),
            ("insuf", "mandatory headers missing: 400"),
            ("unkscm", "an unknown scheme: 416"),
            ("novelsc", "a known one that is not SIP: 416"),
            ("unksm2", "unknown schemes elsewhere: 405 to the REGISTER"),
            ("bext01", "unknown extensions: 420 names those of Require"),
            ("invut", "an unknown body: 415"),
            ("regaut01", "an unknown way to authorize: 405 to the REGISTER"),
            ("multi01", "single headers twice: 400"),
            ("mcl01", "Content-Length twice: 400; a stream ends"),
            ("bcast", "a response for another: dropped"),
            ("zeromf", "Max-Forwards 0: 200"),
            ("cparam01", "parameters of a Contact: 405 to the REGISTER"),
            ("cparam02", "parameters of its URI: 405 to the REGISTER"),
            ("regescrt", "escaped headers in its URI: 405 to the REGISTER"),
            ("sdp01", "Accept without SDP: 406"),
            ("inv2543", "a peer of RFC 2543: taken"),
        ),
        Rule("F ipv6", "RFC 5118: brackets, ports, ``received``, SDP of both families"),
    ),
)

_CLIENTS = Section(
    "J What clients were seen to do",
    (
        Rule("J1", "two overlapping re-INVITEs, of which only the second is acknowledged"),
        Rule("J2", "a bare ``&`` in the metadata: both participants are found all the same"),
        Rule("J3", "a pause: silence of the right length, not loss"),
        Rule("J4", "a client that refuses all that a recorder asks, with a malformed Contact"),
        Rule("J5", "lines and labels in another order, CSeq from 2, fragmented INVITEs"),
        Rule("J6", "times without a colon in the zone; the same document again and again"),
        Rule("J7", "CANCEL before any media: a recording of length 0"),
        Rule("J8", "PJSIP: metadata first, blanks, no brackets, optional SRTP"),
        Rule("J9", "uses that vanish at hold; 100rel in Supported"),
        Rule("J10", "pause without metadata, no ``+sip.src``, the older metadata format"),
        Rule("J11", "parts that begin with an empty line, odd header names, OPTIONS every 10 s"),
        Rule("J12", "an ACK without CSeq: dropped, the call lives"),
    ),
)

#: The page's tables, in order.
SECTIONS = (
    *(_RECOGNISING, _DESCRIPTIONS, _DELIVERY, _METADATA, _FLOWS),
    *(_TRANSACTIONS, _TRANSPORT, _CHECKS, _DIALOGS, _MEDIA, _TORTURE, _CLIENTS),
)
