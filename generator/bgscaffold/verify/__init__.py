"""`bgscaffold verify`: the contract and fault suites, run against a project."""
