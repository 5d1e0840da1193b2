"""A run as a sequence diagram: one model, and two renderers of it, for terminals and as SVG."""

from reports.diagram.model import Arrow, Diagram, Row, diagram_of, in_order_except
from reports.diagram.svg import svg
from reports.diagram.text import text

__all__ = ["Arrow", "Diagram", "Row", "diagram_of", "in_order_except", "svg", "text"]
