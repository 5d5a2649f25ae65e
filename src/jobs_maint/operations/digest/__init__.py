"""The failure summary of a window, and which window is due."""
