"""The fault suite: processes are killed, cut off and starved while tasks are accepted.

Nothing that was accepted may be lost. Pytest collects nothing here.
"""
