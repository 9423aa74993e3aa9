"""
The C{twistd siprec} command.  This imports nothing of the recorder, because
every C{twistd} on the machine loads it.
"""

from twisted.application.service import ServiceMaker

siprec = ServiceMaker("SIPREC recorder", "siprec.tap", "Record SIPREC sessions.", "siprec")
