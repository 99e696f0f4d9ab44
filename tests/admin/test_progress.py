"""Progress bars of the operator's commands."""

from bento_service.admin.progress import stage


def test_a_log_gets_whole_lines_and_ends_with_the_last_state(capsys):
    with stage("copy", 5, "file") as advance:
        for _ in range(5):
            advance(1)
    written = capsys.readouterr().err
    assert "\r" not in written
    assert written.isascii()
    lines = written.splitlines()
    assert lines[0].startswith("copy:   0%")
    assert lines[-1].startswith("copy: 100%")
    assert "5/5" in lines[-1]
