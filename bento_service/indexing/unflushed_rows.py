"""Rows that were written into indexes and not flushed yet."""

from bento_service.gallery.gallery import Gallery

_FLUSH_AFTER_ROWS = 1000
_SERVER_FLUSH_ROWS = 10_000


class UnflushedRows:
    """The numbers of unflushed rows, by the names of their indexes."""

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        self._rows: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._rows)

    def add(self, name: str, rows: int) -> None:
        """Count written rows; flush many of an embedded index, which slow down its searches."""
        self._rows[name] = self._rows.get(name, 0) + rows
        if self._gallery.is_embedded and self._rows[name] >= _FLUSH_AFTER_ROWS:
            self._gallery.flush(name)
            del self._rows[name]

    def flush(self) -> None:
        """Flush the indexes; a server flushes by itself, and would make small segments."""
        due = 1 if self._gallery.is_embedded else _SERVER_FLUSH_ROWS
        for name, rows in list(self._rows.items()):
            if rows >= due:
                self._gallery.flush(name)
            del self._rows[name]

    def forget(self, name: str) -> None:
        """Forget the rows of an index that was dropped."""
        self._rows.pop(name, None)

    def clear(self) -> None:
        """Forget the rows of all indexes."""
        self._rows.clear()
