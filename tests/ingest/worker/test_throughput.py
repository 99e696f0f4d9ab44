import pytest

from bento_service.ingest.worker.throughput import Rates

START = 1000.0


@pytest.fixture
def rates():
    """Return the rates of two jobs that begin at `START`."""
    made = Rates()
    made.observe(1, 0, START)
    made.observe(2, 0, START)
    return made


def test_a_job_that_nothing_was_done_for_has_no_rate(rates):
    assert rates.per_second(1, START + 5) is None
    assert rates.per_second(7, START) is None


def test_the_first_batch_is_measured_from_the_beginning_of_the_job(rates):
    rates.observe(1, 8, START + 2)
    assert rates.per_second(1, START + 2) == pytest.approx(4.0)


def test_a_moment_after_the_beginning_says_nothing(rates):
    rates.observe(1, 8, START + 0.01)
    assert rates.per_second(1, START + 0.02) is None


def test_a_steady_job_has_the_rate_that_it_has(rates):
    for second in range(1, 100):
        rates.observe(1, 8 * second, START + second)
        assert rates.per_second(1, START + second) == pytest.approx(8.0)


def test_slow_batches_are_told_too(rates):
    for number, at in enumerate((20, 40, 60, 80), start=1):
        rates.observe(1, 8 * number, START + at)
    assert rates.per_second(1, START + 85) == pytest.approx(2 * 8 / 30)  # those at 60 and 80


def test_a_rate_falls_while_nothing_is_done(rates):
    rates.observe(1, 8, START + 1)
    assert rates.per_second(1, START + 1) == pytest.approx(8.0)
    assert rates.per_second(1, START + 8) == pytest.approx(1.0)
    assert rates.per_second(1, START + 30.5) == pytest.approx(8 / 30)
    assert rates.per_second(1, START + 31.5) is None


def test_a_pause_is_forgotten_when_it_has_left_the_window(rates):
    rates.observe(1, 1000, START + 1)
    for second in range(10):
        rates.observe(1, 1006 + 6 * second, START + 100 + second)
    assert rates.per_second(1, START + 109) == pytest.approx(60 / 30)
    for second in range(10, 31):
        rates.observe(1, 1006 + 6 * second, START + 100 + second)
    assert rates.per_second(1, START + 130) == pytest.approx(6.0)


def test_files_processed_before_the_first_look_are_not_counted(rates):
    rates.forget(1)
    rates.observe(1, 1000, START + 10)
    rates.observe(1, 1004, START + 12)
    assert rates.per_second(1, START + 12) == pytest.approx(2.0)


def test_jobs_have_rates_of_their_own(rates):
    rates.observe(1, 2, START + 1)
    rates.observe(2, 20, START + 1)
    assert rates.per_second(1, START + 1) == pytest.approx(2.0)
    assert rates.per_second(2, START + 1) == pytest.approx(20.0)


def test_closed_jobs_and_old_counts_take_no_memory(rates):
    for n in range(10_000):
        rates.observe(1, 4 * n, START + n)
    assert len(rates._seen[1].counts) <= 32
    rates.forget(1)
    assert list(rates._seen) == [2]
