"""bufferproof: a message buffer on Redis, and the proof that it holds."""
