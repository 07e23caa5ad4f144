"""The fault suite: real processes are killed, cut off and starved while tasks are accepted.

`python -m tests.faults --help` tells how to run it. Pytest collects nothing here.
"""
