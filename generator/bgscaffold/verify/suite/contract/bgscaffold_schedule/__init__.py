"""A domain that the contract suite adds to a copy of the project."""
