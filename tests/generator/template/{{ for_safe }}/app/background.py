"""Pattern safe: tasks run in the web process, from the outbox."""

from afterward import Background
from afterward.backends import safe_ as pattern

backend = pattern.Backend()
background = Background(backend)
task = background.task
