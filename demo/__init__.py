"""The product on one machine: a sample team app, and the runner that starts all parts."""
