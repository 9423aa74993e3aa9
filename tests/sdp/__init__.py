"""
Tests of L{siprec}.
"""
