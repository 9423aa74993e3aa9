"""
PJSIP as a session recording client, in a process of its own: it calls a recorder
with two streams, plays a tone of its own on each, and hangs up.

C{python -m tests.functional.pjsipclient URI SECONDS METADATA [reinvite] [digits]
[password=...] [drop=PERCENT] [SUITE [optional]] [CERTIFICATE AUTHORITY]}: with the last two,
over TLS; with a password, as the user C{ann}.

The last line that it prints for each stream, after C{statistics}, is JSON: what the
recorder has reported of it.
"""

from __future__ import annotations

import json
import re
import sys
import time
from typing import Any

from pjsua2 import pjsua2 as pj

#: The tones of the two streams, in Hz, and their labels.
TONES = (500, 900)
LABELS = ("96", "97")
#: The digits that are pressed on the first stream.
PRESSED = "159#"

_LINE = re.compile(r"(?=^m=audio)", re.MULTILINE)


def _labelled(sdp: str) -> str:
    """
    @return: the description with a label on each line, and to send only.
    """
    session, *media = _LINE.split(sdp.replace("\r\n", "\n"))
    lines = [
        each.replace("a=sendrecv\n", "a=sendonly\n") + f"a=label:{label}\n"
        for each, label in zip(media, LABELS, strict=False)
    ]
    return (session + "".join(lines)).replace("\n", "\r\n")


class _Call(pj.Call):
    """
    @ivar ended: whether the call is over.
    @ivar status: the last status code.
    """

    def __init__(self, account: Any) -> None:
        super().__init__(account)
        self.ended, self.confirmed, self.status = False, False, 0
        self.tones: list[Any] = []

    def onCallSdpCreated(self, prm: Any) -> None:
        """
        What PJSIP is about to offer.
        """
        if "a=label" not in prm.sdp.wholeSdp:
            prm.sdp.wholeSdp = _labelled(prm.sdp.wholeSdp)

    def onCallState(self, prm: Any) -> None:
        """
        The call has gone on.
        """
        info = self.getInfo()
        self.status = info.lastStatusCode
        self.confirmed = self.confirmed or info.state == pj.PJSIP_INV_STATE_CONFIRMED
        self.ended = info.state == pj.PJSIP_INV_STATE_DISCONNECTED

    def onCallMediaState(self, prm: Any) -> None:
        """
        There is media to send on.
        """
        if self.tones:
            return
        for index, frequency in enumerate(TONES):
            tone = pj.ToneDesc()
            tone.freq1, tone.freq2, tone.on_msec, tone.off_msec = frequency, 0, 1000, 0
            tones = pj.ToneDescVector()
            tones.append(tone)
            generator = pj.ToneGenerator()
            generator.createToneGenerator()
            generator.play(tones, True)
            generator.startTransmit(self.getAudioMedia(index))
            self.tones.append(generator)


def _statistics(call: _Call) -> None:
    """
    Print what the other side has reported by RTCP, and what was sent.
    """
    for index in range(len(TONES)):
        found = call.getStreamStat(index).rtcp
        facts = {
            "reports": found.txStat.updateCount,
            "lost": found.txStat.loss,
            "jitter": found.txStat.jitterUsec.last,
            "sent": found.txStat.pkt,
            "roundTrips": found.rttUsec.n,
            "roundTrip": found.rttUsec.last,
        }
        print("statistics", json.dumps(facts), flush=True)


def _header(name: str, value: str) -> Any:
    header = pj.SipHeader()
    header.hName, header.hValue = name, value
    return header


def _part(kind: str, subtype: str, body: str) -> Any:
    part = pj.SipMultipartPart()
    part.contentType.type, part.contentType.subType = kind, subtype
    part.headers.append(_header("Content-Disposition", "recording-session"))
    part.body = body
    return part


def _secure(settings: Any, suite: str, optional: bool) -> None:
    """
    @param optional: offer it as RTP/AVP, else as RTP/SAVP.
    """
    media = settings.mediaConfig
    media.srtpUse = pj.PJMEDIA_SRTP_OPTIONAL if optional else pj.PJMEDIA_SRTP_MANDATORY
    media.srtpSecureSignaling = 0
    crypto = pj.SrtpCrypto()
    crypto.name, crypto.flags = suite, 0
    cryptos = pj.SrtpCryptoVector()
    cryptos.append(crypto)
    media.srtpOpt.cryptos = cryptos
    keyings = pj.IntVector()
    keyings.append(pj.PJMEDIA_SRTP_KEYING_SDES)
    media.srtpOpt.keyings = keyings


def _transport(uri: str, files: list[str]) -> tuple[int, Any]:
    """
    @return: the kind of the transport, and how it is to be made.
    """
    transport = pj.TransportConfig()
    transport.boundAddress = "127.0.0.1"
    if "transport=tls" not in uri:
        tcp = "transport=tcp" in uri
        return (pj.PJSIP_TRANSPORT_TCP if tcp else pj.PJSIP_TRANSPORT_UDP), transport
    tls = transport.tlsConfig
    tls.certFile = tls.privKeyFile = files[0]
    tls.CaListFile = files[1]
    tls.verifyServer = tls.verifyClient = tls.requireClientCert = True
    return pj.PJSIP_TRANSPORT_TLS, transport


def main(
    uri: str,
    seconds: float,
    metadata: str,
    again: bool,
    digits: bool,
    password: str,
    files: list[str],
    codecs: tuple[str, ...],
    suite: str,
    optional: bool,
    dropped: int,
) -> int:
    """
    @param again: describe the session once more in mid-call.
    @param digits: press some.
    @param password: for the user C{ann}; empty: there is none.
    @param files: for TLS the file of our certificate and its key, and that of
        the authority of both sides.
    @param codecs: names of those that are offered.
    @param suite: the crypto suite to offer; empty: none.
    @param optional: offer it as RTP/AVP.
    @param dropped: how many of a hundred packets are not sent.
    @return: the exit status: 0 if the call was answered.
    """
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt, config.uaConfig.mainThreadOnly = 0, True
    config.logConfig.level = config.logConfig.consoleLevel = 3
    config.medConfig.noVad = True
    config.medConfig.txDropPct = dropped
    endpoint.libInit(config)
    endpoint.transportCreate(*_transport(uri, files))
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    # It does not show us a description of more than 1,024 bytes.
    for codec in endpoint.codecEnum2():
        name, _, rate = codec.codecId.partition("/")
        wanted = name in codecs and not rate.endswith("/2")
        # Left alone, it has no linear samples.
        if not wanted or name == "L16":
            endpoint.codecSetPriority(codec.codecId, 128 if wanted else 0)
    settings = pj.AccountConfig()
    settings.idUri = "sip:src@127.0.0.1" + "".join(uri.partition(";transport")[1:])
    settings.sipConfig.contactParams = ";+sip.src"
    settings.mediaConfig.transportConfig.boundAddress = "127.0.0.1"
    if password:
        secret = pj.AuthCredInfo("digest", "*", "ann", 0, password)
        settings.sipConfig.authCreds.append(secret)
    if suite:
        _secure(settings, suite, optional)
    account = pj.Account()
    account.create(settings)
    call = _Call(account)
    parameters = pj.CallOpParam(True)
    parameters.opt.audioCount, parameters.opt.videoCount = len(TONES), 0
    parameters.txOption.headers.append(_header("Require", "siprec"))
    with open(metadata, encoding="utf-8") as file:
        part = _part("application", "rs-metadata+xml", file.read())
    parameters.txOption.multipartContentType.type = "multipart"
    parameters.txOption.multipartContentType.subType = "mixed"
    parameters.txOption.multipartParts.append(part)
    call.makeCall(uri, parameters)
    end = time.monotonic() + seconds
    while time.monotonic() < end and not call.ended:
        endpoint.libHandleEvents(20)
        if again and call.confirmed and time.monotonic() > end - seconds / 2:
            again = False
            parameters = pj.CallOpParam(True)
            parameters.opt.audioCount, parameters.opt.videoCount = len(TONES), 0
            call.reinvite(parameters)
        if digits and call.confirmed and time.monotonic() > end - seconds / 2:
            digits = False
            call.dialDtmf(PRESSED)
    if not call.ended:
        if call.confirmed:
            _statistics(call)
        call.hangup(pj.CallOpParam(True))
    end = time.monotonic() + 5
    while time.monotonic() < end and not call.ended:
        endpoint.libHandleEvents(20)
    answered = call.confirmed
    call.tones.clear()
    del call
    account.shutdown()
    endpoint.libDestroy()
    return 0 if answered else 1


if __name__ == "__main__":
    options = sys.argv[4:]
    drops = [int(each[5:]) for each in options if each.startswith("drop=")]
    words = [each[9:] for each in options if each.startswith("password=")]
    offered = tuple(each[6:] for each in options if each.startswith("codec="))
    suites = [each for each in options if each.startswith("A")]
    more = [each for each in options if each.startswith(("/", "."))]
    sys.exit(
        main(
            sys.argv[1],
            float(sys.argv[2]),
            sys.argv[3],
            "reinvite" in options,
            "digits" in options,
            "".join(words),
            more,
            offered or ("PCMU", "PCMA"),
            "".join(suites),
            "optional" in options,
            sum(drops),
        )
    )
