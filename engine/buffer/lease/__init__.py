"""x."""
from engine.buffer.lease.strategy import Lease

__all__ = ["Lease"]
