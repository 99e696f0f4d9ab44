"""Fixtures of the tests of changed files."""

import json
import os

import pytest

from bento_service.requests import TrainRequest
from tests.ingest.changes.parts import OLD


@pytest.fixture
def run(ingest):
    """Train, work until the end, and return the job."""

    def train(path=".", describe=None, **options):
        job = ingest.train(path, **options)
        ingest.work(describe)
        return ingest.job(job)

    return train


@pytest.fixture
def write(ingest):
    """Write files with a time of an hour ago."""

    def make(files, at=OLD):
        ingest.write(files)
        for name in files:
            os.utime(ingest.pictures / name, (at, at))

    return make


@pytest.fixture
def follow(ingest):
    """Process a manifest of these lines, and return the job."""

    def work(*lines, name="list.json", **options):
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        ingest.write({name: text.encode()})
        jobs = ingest.manifest_jobs()
        job = jobs.start(TrainRequest(manifest=name, collection="cats", **options))
        ingest.work()
        return ingest.job(job)

    return work


@pytest.fixture
def start(ingest):
    """Start a job with a manifest of these lines."""

    def make(*lines, claim=None, **options):
        ingest.write({"l.json": "\n".join(map(json.dumps, lines)).encode()})
        request = TrainRequest(manifest="l.json", collection="cats", **options)
        return ingest.manifest_jobs().start(request, claim)

    return make
