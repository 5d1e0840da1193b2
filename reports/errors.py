"""What `reports` raises."""


class BadResultFile(Exception):
    """A result file that is wrong, cut short or of a foreign schema. The message is one line that names it."""
