"""
The settings that can change while calls run.
"""

from __future__ import annotations

from typing import cast

from attrs import evolve

from siprec.config import Settings
from siprec.metadata.masking import Mask
from siprec.recorder import Recorder
from siprec.session.recordings import Recordings
from siprec.uas.admission import Profile

__all__ = ["takeUp", "withPolicies"]


def takeUp(settings: Settings, recorder: Recorder, sessions: Recordings) -> None:
    """
    Have them hold from now on, for new calls.
    """
    recorder.profile = cast(Profile, settings.sip.profile)
    recorder.srtp = settings.sip.srtp
    recorder.maxSessions = settings.sip.maxSessions
    recorder.waits = settings.sip.notReady == "inactive"
    sessions.minFree = settings.recordings.minFree
    sessions.exclude = settings.metadata.exclude
    sessions.mask = Mask(settings.metadata.mask, settings.recordings.maskDtmf)


def withPolicies(before: Settings, now: Settings) -> Settings:
    """
    @return: the settings of before, with those of now that can change.
    """
    sip, metadata = now.sip, now.metadata
    return evolve(
        before,
        # Of the SIP settings all can but where to listen.
        sip=evolve(sip, listen=before.sip.listen, advertise=before.sip.advertise),
        recordings=evolve(before.recordings, minFree=now.recordings.minFree),
        metadata=evolve(before.metadata, exclude=metadata.exclude, mask=metadata.mask),
        peers=now.peers,
    )
