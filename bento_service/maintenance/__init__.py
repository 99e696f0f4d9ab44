"""Periodic work: cleanup, expiry and backfills."""
