"""The versions that projects are tested with."""

Version = tuple[int, ...]

# FastAPI decides the order of handler, flush, commit, response and tasks. The contract
# suite of the projects has held on the oldest and the newest of these minor versions.
FASTAPI_RANGE: tuple[Version, Version] = ((0, 135), (0, 165))
MINIMUM_PYTHON: Version = (3, 11)
MINIMUM_UV: Version = (0, 8)
