"""Servers of the tests end with the process that started them."""

import random
import subprocess
import sys

from tests.support.processes import child, free_ports, is_gone
from tests.support.waiting import wait_until

STARTS = """
import subprocess, sys
from tests.support.processes import bound_to_parent
# Its first line says that it is bound; before that, the end of its parent goes unnoticed.
subprocess.Popen(bound_to_parent("KILL", "sh", "-c", "echo $$; exec sleep 600"))
sys.stdin.read()
"""


def test_a_bound_process_ends_when_its_parent_is_killed():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with child([sys.executable, "-c", STARTS], **pipes) as parent:
        pid = int(parent.stdout.readline())
        assert not is_gone(pid)
        parent.kill()
        wait_until(lambda: is_gone(pid))


def test_seeding_of_random_numbers_does_not_repeat_ports():
    random.seed(0)
    some = free_ports(50)
    random.seed(0)
    assert len({*some, *free_ports(50)}) == 100
