"""The outbox: one row for each task run, and every statement that touches it.

A row is inserted in the caller's own transaction, so it exists if and only if the
caller's rows exist. To run it, a process claims it by compare-and-swap and holds a lease,
which its heartbeat renews. A process that dies renews nothing, so another one claims the
row when the lease has ended. So a task runs at least once, may run twice after a
crash, and must be idempotent.

Statements are built by functions. The API executes them async, workers execute them sync.
"""
