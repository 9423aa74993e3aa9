"""
From journals to aligned audio; nothing here runs while a call is captured.
"""
