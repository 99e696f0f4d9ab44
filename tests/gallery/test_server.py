"""What a Milvus server alone can show: it is killed, paused and started again."""

from bento_service.gallery.gallery import Gallery

DIMENSION = 16


def test_two_servers_run_side_by_side_and_keep_their_rows_over_a_kill(
    milvus_server, new_milvus_server, unit_vectors
):
    other = new_milvus_server().start()
    try:
        with Gallery(milvus_server.uri) as one, Gallery(other.uri) as two:
            one.open("one", DIMENSION)
            two.open("two", DIMENSION)
            two.upsert("two", [1, 2], unit_vectors(2))
            assert ("one" in one.names(), one.names().count("two")) == (True, 0)
            assert two.names() == ["two"]
            one.drop("one")
        other.kill()
        other.start()
        with Gallery(other.uri) as again:
            assert again.ids("two") == {1, 2}
    finally:
        other.remove()
