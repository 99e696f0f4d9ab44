"""Searches of a gallery, and the conditions that a search may have."""

DIMENSION = 16
CONDITIONS = [
    ({"among": [3, 7, 11, 99]}, {3, 7, 11}),
    ({"below": 8}, set(range(1, 8))),
    ({"among": [3, 7, 11], "below": 8}, {3, 7}),
    ({"among": []}, set()),
]
"""Conditions of a search among images 1 to 20, and the ids that meet them."""


def found_ids(gallery, index, query, top_k=10):
    return [near.image_id for near in gallery.search(index, query, top_k=top_k)]
