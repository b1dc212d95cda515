"""A small shop to try the runner on: `python -m runner.demo FILE` makes its queue in a SQLite
file, and `runner.demo.handlers:handlers` are its handlers."""
