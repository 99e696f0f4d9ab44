"""Descriptor spaces of the tests of reindexes."""

import numpy as np

from bento_service.catalogue.records import DescriptorSpace

OTHER = DescriptorSpace("vgg16-rmac4", "vgg16:one", "e" * 64, 2, "fp32")


OLD_VECTOR = np.array([1.0, 0.0, 0.0, 0.0], np.float32)
NEW_VECTOR = np.array([0.6, 0.8], np.float32)


def serving(catalogue):
    return catalogue.collections.named("cats").space
