"""A clock for code that takes one."""


class Clock:
    """Seconds that pass only when a test changes `now`."""

    now = 0.0

    def __call__(self) -> float:
        return self.now
