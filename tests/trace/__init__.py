"""
Tests of L{siprec.trace}.
"""
