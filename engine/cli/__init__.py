"""The command `bufferproof`: a file a subcommand, each loaded only when it is called."""
