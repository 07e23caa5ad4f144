"""Pattern celery: tasks run in Celery workers, from the outbox."""

from afterward import Background
from afterward.backends import celery_ as pattern

backend = pattern.Backend()
background = Background(backend)
task = background.task
