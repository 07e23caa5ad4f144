"""`bgscaffold verify`: the contract suite and the fault suite, run against a project."""
