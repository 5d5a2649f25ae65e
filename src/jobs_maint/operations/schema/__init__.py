"""Our tables and indexes: applying them, and what is missing."""
