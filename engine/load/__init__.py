"""Load: the engine in real time, on a real server."""
