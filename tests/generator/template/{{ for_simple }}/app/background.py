"""Pattern simple: tasks run in the web process, one after another."""

from afterward import Background
from afterward.backends import simple_ as pattern

backend = pattern.Backend()
background = Background(backend)
task = background.task
