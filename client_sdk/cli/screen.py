"""The output of answers: JSON, lines for pipes, or tables for terminals.

Data of a service is not trusted: control characters are replaced before it is printed, and it is
never interpreted as markup.
"""

import codecs
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Generic, TextIO, TypeVar

from pydantic import BaseModel
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from client_sdk._folder.plan import steps

ItemT = TypeVar("ItemT", bound=BaseModel)
_ROWS_AT_ONCE = 100
_PLAIN_WIDTH = 80
_WIDEST = 40


ESCAPING = "lookalike-escapes"
"""The name of the error handler that writes what a stream cannot encode as in JSON."""


class Form(Enum):
    """The form of the output."""

    JSON = "json"
    LINES = "lines"
    TABLE = "table"


@dataclass(frozen=True)
class Column(Generic[ItemT]):
    """One column of a list.

    Attributes:
        name: The heading.
        text: Returns the value of an item; a pipe gets it unchanged.
        shown: Returns the text of an item in a table, such as a rounded number.
        right: If true, the column is aligned to the right, as for numbers.
        style: The style in a table.
        folds: If true, a table wraps long text; otherwise it cuts it.
    """

    name: str
    text: Callable[[ItemT], object]
    shown: Callable[[ItemT], str | Text] | None = None
    right: bool = False
    style: str = ""
    folds: bool = False

    def line(self, item: ItemT) -> str:
        """Return the text of an item for a pipe."""
        return _in_pipe(self.text(item))

    def cell(self, item: ItemT) -> Text:
        """Return the text of an item for a table."""
        shown = self.text(item) if self.shown is None else self.shown(item)
        return _in_terminal(shown, self.style)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a single item: its name and value."""

    name: str
    value: object
    shown: str | Text | None = None

    def cell(self) -> Text:
        """Return the value for a terminal."""
        return _in_terminal(self.value if self.shown is None else self.shown)

    def line(self) -> str:
        """Return the line for a pipe: the name, a tab and the value."""
        return f"{sanitised(self.name)}\t{_in_pipe(self.value)}"


def _in_pipe(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return "" if value is None else sanitised(str(value))


def _in_terminal(value: object, style: str = "") -> Text:
    if isinstance(value, datetime):
        return Text(f"{value.astimezone():%Y-%m-%d %H:%M:%S}", style=style)
    return value if isinstance(value, Text) else Text(_in_pipe(value), style=style)


def sanitised(line: str) -> str:
    """Replace control characters, which file names may contain and terminals execute."""
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def fields_of(item: BaseModel, names: str) -> list[Field]:
    """Return fields of a model, by their names with spaces between them."""
    return [Field(name, getattr(item, name)) for name in names.split()]


class Screen:
    """The output of a command: answers to `out`, errors and progress to `err`."""

    def __init__(self, out: TextIO, err: TextIO, *, as_json: bool = False) -> None:
        self.out: Console = _console(out)
        self.err: Console = _console(err)
        self.log = err
        self._stream = out
        self.form = Form.JSON if as_json else Form.TABLE if out.isatty() else Form.LINES

    def many(
        self,
        items: Iterable[ItemT],
        columns: Sequence[Column[ItemT]],
        *,
        picture: Callable[[ItemT], RenderableType] | None = None,
    ) -> None:
        """Show a list while it arrives: as lines of JSON or tab-separated values, or as tables.

        `picture` returns the picture of an item, which a table shows before the columns.
        """
        if self.form is Form.TABLE:
            self._tables(items, columns, picture)
            return
        for item in items:
            if self.form is Form.JSON:
                self.line(as_json(item))
            else:
                self.line("\t".join(column.line(item) for column in columns))

    def one(
        self, item: BaseModel, fields: Iterable[Field], *, picture: RenderableType | None = None
    ) -> None:
        """Show one item: as a JSON document, or one field a line without the empty fields."""
        if self.form is Form.JSON:
            self.line(as_json(item, indent=2))
            return
        there = [field for field in fields if field.value not in (None, "", (), [], {})]
        if self.form is Form.LINES:
            self._stream.write("".join(f"{field.line()}\n" for field in there))
            return
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim")
        grid.add_column(overflow="fold")
        for field in there:
            grid.add_row(sanitised(field.name.replace("_", " ")), field.cell())
        whole = Table.grid(padding=(0, 3))
        whole.add_row(*([] if picture is None else [picture]), grid)
        self.out.print(whole)

    def flush(self) -> None:
        """Flush the stream of answers."""
        self._stream.flush()

    def line(self, text: str) -> None:
        """Write one line unchanged, and flush it."""
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def number(self, item: BaseModel, value: int) -> None:
        """Show an answer that is one number: as its JSON document, or the number alone."""
        self.line(as_json(item, indent=2) if self.form is Form.JSON else str(value))

    def aside(self, text: str) -> None:
        """Show a dimmed sentence in a terminal; pipes and JSON omit it."""
        if self.form is Form.TABLE:
            self.out.print(Text(sanitised(text), style="dim"))

    def warn(self, text: str) -> None:
        """Write one line to the stream of errors."""
        self.err.print(Text(sanitised(text)), soft_wrap=True)

    def fail(self, text: str) -> None:
        """Write the error that ends a command to the stream of errors, in one line."""
        line = Text.assemble(("error:", "bold red"), " ", sanitised(" ".join(text.split())))
        self.err.print(line, soft_wrap=True)

    def _tables(
        self,
        items: Iterable[ItemT],
        columns: Sequence[Column[ItemT]],
        picture: Callable[[ItemT], RenderableType] | None,
    ) -> None:
        heads: list[str] = []
        for rows in steps(items, _ROWS_AT_ONCE):
            cells = {column.name: [column.cell(item) for item in rows] for column in columns}
            there = [column for column in columns if any(cells[column.name])]
            former, heads = heads, [column.name for column in there]
            table = Table(
                box=box.SIMPLE_HEAD,
                pad_edge=False,
                show_header=heads != former,
                leading=int(picture is not None),
            )
            if picture is not None:
                table.add_column("")
            for column in there:
                _add(table, column, cells[column.name])
            for number, item in enumerate(rows):
                drawn = [] if picture is None else [picture(item)]
                table.add_row(*drawn, *(cells[name][number] for name in heads))
            self.out.print(table)


def _add(table: Table, column: Column[ItemT], cells: Sequence[Text]) -> None:
    """Add a column to a table: one that wraps, or one that is as wide as its widest cell."""
    widest = max(len(column.name), *(cell.cell_len for cell in cells))
    table.add_column(
        column.name,
        justify="right" if column.right else "left",
        overflow="fold" if column.folds else "ellipsis",
        no_wrap=not column.folds,
        min_width=None if column.folds else min(widest, _WIDEST),
        vertical="middle",
    )


def as_json(item: BaseModel, *, indent: int | None = None) -> str:
    """Return a wire model as JSON; escapes replace control characters and change no value."""
    text = item.model_dump_json(indent=indent)
    return "".join(
        letter if letter.isprintable() or letter == "\n" else _escaped(letter) for letter in text
    )


def _escaped(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _in_escapes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_escaped, error.object[error.start : error.end])), error.end


codecs.register_error(ESCAPING, _in_escapes)


def _console(stream: TextIO) -> Console:
    # Names may look like markup or emoji codes, so rich must not interpret any text.
    width = None if stream.isatty() else _PLAIN_WIDTH
    return Console(file=stream, markup=False, highlight=False, emoji=False, width=width)
