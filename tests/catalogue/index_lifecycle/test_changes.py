"""The changes that an index has to apply."""


def test_changes_after_a_revision_are_counted_with_tombstones(catalogue, cats, add):
    tom, *_ = add(cats, "tom", "felix", "sylvester")
    index = catalogue.collections.named("cats").index
    assert catalogue.changes.count(index.id, after=0) == 3

    catalogue.images.delete(cats.id, [tom])

    assert catalogue.changes.count(index.id, after=index.revision) == 1
    assert catalogue.changes.changed_ids(index.id, after=index.revision) == {tom}


def test_images_of_an_index_are_counted_and_sampled_without_deleted_ones(catalogue, cats, add):
    ids = add(cats, *"abcdefgh")
    add(catalogue.collections.create("dogs", cats.space), "a", "b")
    catalogue.images.delete(cats.id, ids[:2])
    living = set(ids[2:])

    assert catalogue.changes.count_living(cats.index.id) == 6
    assert catalogue.changes.sample_living(cats.index.id, one_in=1) == living
    halves = [catalogue.changes.sample_living(cats.index.id, one_in=2) for _ in range(60)]
    assert {len(half) for half in halves} == {3}
    assert set().union(*halves) == living
