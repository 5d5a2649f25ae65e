"""Sets of jobs: frozen by a preview, changed in batches."""
