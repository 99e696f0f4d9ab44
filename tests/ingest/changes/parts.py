"""Shared constants and functions of the tests of changed files."""

import io
import time

from PIL import Image

OLD = time.time() - 3600


def bmp(colour):
    """Return a picture whose size does not depend on its colour."""
    file = io.BytesIO()
    Image.new("RGB", (20, 10), colour).save(file, "BMP")
    return file.getvalue()


def paths(ingest):
    return sorted(source.path for image in ingest.images() for source in image.sources)


def by_path(ingest):
    return {source.path: image for image in ingest.images() for source in image.sources}


def failures(ingest, job):
    return [
        (failure.path, failure.code, failure.detail)
        for failure in ingest.catalogue.jobs.failures(job.number, after=0, limit=100)
    ]
