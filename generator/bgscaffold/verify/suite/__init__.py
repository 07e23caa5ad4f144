"""The contract suite and the fault suite: black-box tests of a project's processes.

They run in bgscaffold's own environment, with the packages of `bgscaffold[verify]`.
The project's Python runs only its servers.
"""
