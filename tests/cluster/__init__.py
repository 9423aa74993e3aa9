"""
Tests of L{siprec.cluster}.
"""
