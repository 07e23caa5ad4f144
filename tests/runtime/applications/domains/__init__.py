"""Domain packages of the tests: an application imports their tasks and routes."""
