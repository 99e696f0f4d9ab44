"""The indexes in Milvus: creating, opening, repairing and building them."""

import logging
import threading
from contextlib import suppress
from pathlib import Path

from grpc import RpcError

from bento_service.gallery.connection import CALL_SECONDS as _TIME_LIMIT
from bento_service.gallery.connection import Connection, is_unanswered
from bento_service.gallery.index_types import IndexType
from bento_service.gallery.lite_folder import names_in, remove_index
from bento_service.gallery.milvus import DataType, MilvusClient, MilvusException

DESCRIPTOR_FIELD = "descriptor"
_log = logging.getLogger(__name__)


class MilvusIndexes:
    """The part of a `Gallery` in Milvus that concerns whole indexes; see `Connection`."""

    def __init__(self, connection: Connection) -> None:
        # Every failure is raised as `IndexUnavailable`. pymilvus would also log its stack, and so
        # would Lite's server for optional calls of pymilvus that it does not implement.
        for name in ("pymilvus", "grpc._server"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._connection = connection
        self._writing = threading.Lock()
        self._kinds: dict[str, IndexType] = {}  # an index of another type gets another name

    @property
    def _client(self) -> MilvusClient:
        return self._connection.client()

    @property
    def uri(self) -> str:
        """The address of the server, or the path of Milvus Lite's folder."""
        return self._connection.uri

    @property
    def is_embedded(self) -> bool:
        """True if it is Milvus Lite, which runs in this process."""
        return self._connection.is_embedded

    @property
    def is_milvus_lite(self) -> bool:
        """True if it is Milvus Lite, whose files have no checksums."""
        return self.is_embedded

    @property
    def answers(self) -> bool:
        """True if the last call was answered."""
        return self._connection.answers

    def open(self, name: str, dimension: int) -> None:
        """Make an index ready for searches; see `Gallery`.

        A kill while Milvus Lite writes an index file damages the file but not the rows, so the
        index is rebuilt from its rows. If the rows are damaged too, as after a power cut, it starts
        empty: the caller compares it with the catalogue.
        """
        with self._writing, self._connection.calling("open"):
            try:
                self._open(name, dimension)
            except (MilvusException, RpcError) as error:
                if self._may_be_intact(error):
                    raise
                _log.warning("index %s is damaged; it starts empty", name)
                with suppress(MilvusException, RpcError):
                    self._client.drop_collection(name, timeout=_TIME_LIMIT)
                remove_index(Path(self.uri), name)
                self._open(name, dimension)

    def load(self, name: str) -> None:
        """Make an existing index ready for searches, without creating or repairing anything."""
        with self._connection.calling("load"):
            self._client.load_collection(name, timeout=_TIME_LIMIT)

    def kind(self, name: str) -> IndexType:
        """Return the type of an index; Milvus Lite has only one."""
        # Searches ask for it, so it has to fail as fast as they do.
        with self._connection.calling("describe an index", fail_fast=True):
            return self._kind(name, self._connection.search_seconds)

    def prepare(self, name: str, dimension: int) -> bool:
        """Create an index whose rows can be written and not searched yet; see `Gallery`."""
        with self._writing, self._connection.calling("prepare"):
            if self._has(name):
                return False
            self._create(name, dimension)
            return True

    def build(self, name: str, index_type: IndexType) -> bool:
        """Let a server build a prepared index over its rows; see `Gallery`."""
        with self._writing, self._connection.calling("build"):
            if not self._client.list_indexes(name, timeout=_TIME_LIMIT):
                self._index(name, index_type)
            state = self._client.describe_index(name, DESCRIPTOR_FIELD, timeout=_TIME_LIMIT) or {}
        # `pending_index_rows` counts segments that were merged meanwhile, and may never reach 0.
        if state.get("state") != "Finished" or state["indexed_rows"] < state["total_rows"]:
            return False
        with self._connection.calling("load"):
            # Loading a large index takes minutes, and the caller has more to do.
            self._client.load_collection(name, timeout=_TIME_LIMIT, _async=True)
            loaded = self._client.get_load_state(name, timeout=_TIME_LIMIT)
        return bool(loaded["state"].name == "Loaded")

    def names(self) -> list[str]:
        """Return the names of all indexes, including those of other programs."""
        with self._connection.calling("list"):
            try:
                return list(self._client.list_collections(timeout=_TIME_LIMIT))
            except (MilvusException, RpcError):
                if not self.is_embedded:
                    raise
                return names_in(Path(self.uri))

    def drop(self, name: str) -> None:
        """Remove an index with its files; an unknown one is no error."""
        self._kinds.pop(name, None)
        with self._writing, self._connection.calling("drop"):
            self._client.drop_collection(name, timeout=_TIME_LIMIT)
            if self.is_embedded:  # it does not know an index that has lost its schema
                remove_index(Path(self.uri), name)

    def _open(self, name: str, dimension: int) -> None:
        if not self._has(name):
            self._create(name, dimension)
            self._index(name, IndexType.FLAT)
        elif not self.is_embedded and not self._client.list_indexes(name, timeout=_TIME_LIMIT):
            self._index(name, IndexType.FLAT)  # after a crash between the two calls above
        try:
            self._client.load_collection(name, timeout=_TIME_LIMIT)
        except (MilvusException, RpcError) as error:
            if self._may_be_intact(error):
                raise
            _log.warning("index %s does not load; rebuilding it from its rows", name)
            self._rebuild(name)

    def _may_be_intact(self, error: Exception) -> bool:
        """Return true if an index that does not load need not be damaged: Milvus starts or is slow.

        A server may fail for many other reasons.
        """
        return not self.is_embedded or is_unanswered(error)

    def _has(self, name: str) -> bool:
        client = self._client
        if self.is_embedded:  # Milvus Lite would also count an index that is in memory only
            return name in names_in(Path(self.uri))
        return bool(client.has_collection(name, timeout=_TIME_LIMIT))

    def _create(self, name: str, dimension: int) -> None:
        schema = self._client.create_schema(auto_id=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field(DESCRIPTOR_FIELD, DataType.FLOAT_VECTOR, dim=dimension)
        self._client.create_collection(name, schema=schema, timeout=_TIME_LIMIT)

    def _rebuild(self, name: str) -> None:
        kind = self._kind(name, _TIME_LIMIT)
        self._client.release_collection(name, timeout=_TIME_LIMIT)
        self._client.drop_index(name, DESCRIPTOR_FIELD, timeout=_TIME_LIMIT)
        self._index(name, kind, sync=True)
        self._client.load_collection(name, timeout=_TIME_LIMIT)

    def _index(self, name: str, index_type: IndexType, *, sync: bool = False) -> None:
        wanted = self._client.prepare_index_params()
        wanted.add_index(
            DESCRIPTOR_FIELD,
            str(index_type),
            index_name=DESCRIPTOR_FIELD,
            # On unit vectors the inner product is the cosine, without normalising them again.
            metric_type="IP",
            params=index_type.build_params(),
        )
        self._client.create_index(name, wanted, timeout=_TIME_LIMIT, sync=sync)

    def _kind(self, name: str, seconds: float) -> IndexType:
        known = IndexType.FLAT if self.is_embedded else self._kinds.get(name)
        if known is None:
            fields = self._client.list_indexes(name, timeout=seconds)
            if not fields:  # only half created; `open` creates the rest
                return IndexType.FLAT
            description = self._client.describe_index(name, fields[0], timeout=seconds)
            known = IndexType(description["index_type"])
            self._kinds[name] = known
        return known
