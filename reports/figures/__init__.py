"""The figures: each from result files alone, with a message that is computed from them."""
