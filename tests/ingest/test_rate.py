import pytest

from bento_service.ingest.rate import Rates

START = 1000.0


@pytest.fixture
def rates():
    return Rates()


def test_a_job_that_nothing_was_done_for_has_no_rate(rates):
    assert rates.per_second(1, START) is None


def test_one_batch_does_not_tell_how_long_it_took(rates):
    rates.add(1, 4, START)
    assert rates.per_second(1, START + 1) is None


def test_the_first_batch_begins_the_time_and_does_not_count(rates):
    for second in range(5):
        rates.add(1, 8, START + second)
    assert rates.per_second(1, START + 4) == pytest.approx(4 * 8 / 4)


def test_a_rate_falls_while_nothing_is_done(rates):
    rates.add(1, 4, START)
    rates.add(1, 4, START + 1)
    assert rates.per_second(1, START + 1) == pytest.approx(4.0)
    assert rates.per_second(1, START + 8) == pytest.approx(0.5)


def test_what_is_older_than_half_a_minute_is_forgotten(rates):
    rates.add(1, 1000, START)
    rates.add(1, 1000, START + 1)
    assert rates.per_second(1, START + 31.5) is None
    rates.add(1, 4, START + 40)
    rates.add(1, 4, START + 42)
    assert rates.per_second(1, START + 42) == pytest.approx(2.0)


def test_jobs_have_rates_of_their_own(rates):
    for second in (0, 1):
        rates.add(1, 2, START + second)
        rates.add(2, 20, START + second)
    assert rates.per_second(1, START + 1) == pytest.approx(2.0)
    assert rates.per_second(2, START + 1) == pytest.approx(20.0)


def test_two_batches_in_one_moment_are_no_division_by_zero(rates):
    rates.add(1, 4, START)
    rates.add(1, 4, START)
    assert rates.per_second(1, START) > 0


def test_finished_jobs_take_no_memory(rates):
    for job in range(100):
        rates.add(job, 4, START + job)
    assert len(rates._done) <= 31
