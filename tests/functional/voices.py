"""
What is said in the calls of functional tests.
"""

from siprec.testing.voice import ANN
from siprec.testing.wire import Law, encodeG711

#: Half a minute of one voice.
PAYLOAD = encodeG711(ANN.speak(30.0), Law.MU)
