"""What a report is made of: sections with figures, tables and notes; and answers that point at them."""

from dataclasses import dataclass, field

from reports.figures.drawing import Figure


@dataclass(frozen=True, slots=True)
class TableCell:
    """A cell: its text, how it is coloured (a class of the style sheet), where it leads, and what it says on hovering."""

    text: str
    look: str = ""
    href: str | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first `heads` cells of each row are its heading."""

    name: str
    title: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[TableCell, ...], ...]
    heads: int = 1
    look: str = ""


@dataclass(frozen=True)
class Section:
    """A section of the report. `text` stands before its pictures."""

    id: str
    heading: str
    text: str = ""
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    #: Figures that are written as files, but stand in the page as a table.
    files_only: tuple[Figure, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A question of the first screen, its answer in sentences, and the sections where it stands."""

    question: str
    lines: tuple[str, ...]
    where: tuple[str, ...] = field(default=())


def cell(text: object, look: str = "", href: str | None = None, hint: str = "") -> TableCell:
    """A cell of anything that can be shown."""
    return TableCell(str(text), look, href, hint)
