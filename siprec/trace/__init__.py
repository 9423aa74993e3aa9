"""
The last SIP messages of a node, for those who look for what went wrong.
"""
