"""Small FastAPI applications that bgscaffold has not generated."""
