"""A small portal on SQLite; the service has a PostgreSQL bind to itself."""
