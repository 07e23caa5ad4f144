"""Routes and error handlers that the package adds to the API."""
