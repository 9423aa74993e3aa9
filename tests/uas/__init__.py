"""
Tests of L{siprec.uas}.
"""
