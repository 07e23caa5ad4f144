"""The runner: executes task runs inside the web process."""
