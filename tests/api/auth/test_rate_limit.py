import pytest

from bento_service.api.auth.rate_limit import Rates
from tests.support.clock import Clock


def test_without_a_limit_nobody_waits():
    rates = Rates(None)
    assert not any(rates.wait("ci") for _ in range(10_000))


def test_a_burst_passes_and_then_the_average_holds():
    clock = Clock()
    rates = Rates(5.0, clock=clock)

    assert [rates.wait("ci") for _ in range(10)] == [0] * 10
    assert rates.wait("ci") == 1
    passed = 0
    for _ in range(1000):
        clock.now += 0.01
        passed += rates.wait("ci") == 0
    assert passed == pytest.approx(50, abs=1)


def test_callers_have_separate_limits():
    rates = Rates(1.0, clock=Clock())
    while not rates.wait("greedy"):
        pass
    assert rates.wait("modest") == 0


def test_a_rate_below_one_a_second_admits_one_request():
    clock = Clock()
    rates = Rates(0.1, clock=clock)
    assert rates.wait("ci") == 0
    assert rates.wait("ci") == 10
    clock.now += 6.5
    assert rates.wait("ci") == 4
    clock.now += 4
    assert rates.wait("ci") == 0
