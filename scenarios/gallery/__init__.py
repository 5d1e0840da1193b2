"""The gallery: designs found in the field, as strategies."""

GALLERY: dict[str, str] = {}

__all__ = ["GALLERY"]
