"""
Media capture: ports, sockets, packets and the journal.
"""
