"""The operator's commands beside replicas, on a real PostgreSQL."""

import pytest

from bento_service.admin.answer import Refusal
from bento_service.admin.data import service_stopped
from bento_service.replicas.replica import Replica
from bento_service.settings import Settings


@pytest.fixture
def settings(shared_url, tmp_path):
    return Settings(data_dir=tmp_path, catalogue_url=shared_url)


def test_a_command_is_refused_while_a_service_runs_on_another_data_folder(shared, settings):
    with (
        Replica(shared),
        pytest.raises(Refusal, match="stop all its replicas, or wait"),
        service_stopped(settings, instead=", or wait"),
    ):
        pass


def test_no_service_writes_to_the_index_while_a_command_runs(shared, settings):
    with service_stopped(settings), Replica(shared) as replica:
        assert not replica.is_owner()
    with Replica(shared) as replica:
        assert replica.is_owner()
