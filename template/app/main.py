"""The API. `uv run poe dev` starts it, with the other processes of the project."""

from fastapi import FastAPI

from app.background import background

app = FastAPI(lifespan=background.lifespan)
background.install(app)
