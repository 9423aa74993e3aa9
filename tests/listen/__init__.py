"""
Tests of L{siprec.listen}.
"""
