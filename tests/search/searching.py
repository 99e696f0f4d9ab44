"""A searcher over a real catalogue and a real Milvus; the embedder is a fake."""

from functools import partial

import numpy as np

from bento_service.catalogue.records import Computed, DescriptorSpace
from bento_service.descriptors.describer import Describer
from bento_service.search.picture_searcher import PictureSearcher
from tests.support import indexes
from tests.support.local_decoder import LocalDecoder

DIMENSION = 8
SPACE = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, DIMENSION, "fp32")
DECODER = LocalDecoder(max_pixels=10_000)


def unit(vectors):
    vectors = np.asarray(vectors, np.float64)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


random_units = partial(indexes.random_units, dimension=DIMENSION)


async def by_colour(images):
    """Describe images by their mean colours, in place of the embedder."""
    means = np.zeros((len(images), DIMENSION))
    means[:, :3] = images.mean(axis=(1, 2)) + 1e-3
    return {SPACE.fingerprint: unit(means)}


def searching(catalogue, gallery, describe=by_colour, space=SPACE, **options):
    computed = Computed((space,))
    describer = Describer(DECODER, describe, side=4)
    return PictureSearcher(catalogue, gallery, describer, computed=computed, **options)


def exact(ids, descriptors, query):
    """Return ids and cosines, best first, ties by id, in double precision."""
    cosines = np.asarray(descriptors, np.float64) @ np.asarray(query, np.float64)
    return sorted(zip(ids, cosines.tolist(), strict=True), key=lambda p: (-round(p[1], 6), p[0]))


def ids_of(found):
    return [one.image.id for one in found]
