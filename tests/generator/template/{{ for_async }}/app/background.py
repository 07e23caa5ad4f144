"""Pattern async: tasks run on the event loop, at the same time."""

from afterward import Background
from afterward.backends import async_ as pattern

backend = pattern.Backend()
background = Background(backend)
task = background.task
