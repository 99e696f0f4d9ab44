"""The metrics of a running service."""

from prometheus_client.parser import text_string_to_metric_families


def stages(http):
    """Return how many searches had each stage, by its name."""
    text = http.get("/metrics").text
    return {
        sample.labels["stage"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "lookalike_search_stage_seconds_count"
    }


def test_the_stages_of_every_search_are_counted(http, client, gallery, photographs):
    before = stages(http)

    client.search(photographs / "coffee.jpg", collection=gallery)
    client.search(next(client.images(collection=gallery)).image_id, collection=gallery)
    http.post(
        "/api/v1/search",
        data={"Table": gallery},
        files={"file": (photographs / "coffee.jpg").read_bytes()},
    ).raise_for_status()

    more = {name: count - before.get(name, 0) for name, count in stages(http).items()}
    both = {"decode": 2, "describe": 2}
    assert more == {**both, "queue": 3, "index": 3, "join": 3, "judge": 3}
