"""The lock of the data folder."""

import os
import subprocess
import sys

import pytest

from bento_service.errors import Conflict
from bento_service.storage.data_folder import sole_user
from tests.support.processes import child

HOLDS = """
import sys
from pathlib import Path
from bento_service.storage.data_folder import sole_user
with sole_user(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_error_names_the_process_that_holds_the_folder(tmp_path):
    command = [sys.executable, "-c", HOLDS, tmp_path]
    with child(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        message = rf"another service \(process {holder.pid}\) uses this data folder; stop it"
        with pytest.raises(Conflict, match=message), sole_user(tmp_path):
            pass
    own = pytest.raises(Conflict, match=f"process {os.getpid()}")
    with sole_user(tmp_path), own, sole_user(tmp_path):
        pass
