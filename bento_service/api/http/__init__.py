"""Bodies, pages of lists, idempotency keys and problem documents."""
