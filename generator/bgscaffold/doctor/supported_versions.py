"""What generated projects were tested with, where it is more than a matter of taste."""

# FastAPI decides in which order handler, flush, commit, response and tasks come. From the oldest
# to the newest minor version on which the contract suite of the projects has held that order.
FASTAPI_RANGE = ((0, 135), (0, 165))
