"""
For tests, of this package and of programs around it: fakes of the interfaces,
synthetic media and a SIPREC client.
"""
