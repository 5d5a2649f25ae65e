"""What is done to the database: one package a duty, `perform` in each lists its handlers."""
