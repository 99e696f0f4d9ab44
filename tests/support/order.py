"""Which files run first: the longest, so that no worker has one left when the others are done.

Only what takes more than some ten seconds is worth a place here; every other file comes afterwards,
in the usual order. `make test` keeps xdist from sorting the files by their number of tests.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
LONGEST = (
    "process/test_service_life.py",  # builds the model where there is none; the next two need none
    "admin/test_milvus_server.py",
    "chaos/test_state_machine.py",
    "contract/test_reindex.py",
    "browser/test_page.py",
    "model_build/test_publish.py",
    "model_build/test_main.py",
    "chaos/test_whole_service.py",
    "process/test_decoders.py",
    "contract/test_milvus_server.py",
    "process/test_batching.py",
    "pictures/decoders/test_teeth.py",
    "contract/test_limits.py",
    "contract/test_wire_format_v1.py",
    "hostile/test_quick.py",
    "hostile/test_openapi.py",
    "chaos/test_crash_points.py",
    "chaos/test_damage.py",
    "chaos/test_teeth.py",
    "admin/test_backup.py",
    "admin/test_verify.py",
    "admin/test_reindexing.py",
    "admin/test_interchange.py",
    "admin/test_recall.py",
    "admin/test_compact.py",
    "indexing/test_index_swap.py",
    "indexing/test_replay.py",
    "gallery/test_server.py",
    "contract/test_sources.py",
    "contract/test_urls.py",
    "contract/test_problems.py",
    "contract/core/test_jobs.py",
    "contract/core/test_main_job.py",
    "client_sdk/cli/test_docs.py",
    "client_sdk/testing/test_plugin.py",
    "docs/test_snippets.py",
    "chaos/test_uploads.py",
    "packaging/test_local.py",
    "packaging/test_client_alone.py",
    "local/test_client.py",
    "examples/test_visual_testing.py",
    "browser/test_visual_report.py",
    "comparison/test_duplicate_groups.py",
    "packaging/test_bento.py",
    "browser/test_sign_in.py",
    "process/test_footprint.py",
    "model_build/test_convert.py",
    "model_build/test_build.py",
    "gallery/test_milvus.py",
    "chaos/test_clock.py",
    "indexing/test_reindex.py",
)


def longest_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests in the order in which they should run; those of a file stay together."""
    place = {TESTS / name: number for number, name in enumerate(LONGEST)}
    return sorted(items, key=lambda item: place.get(item.path, len(place)))
