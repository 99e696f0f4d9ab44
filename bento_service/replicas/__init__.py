"""The part of a process among the replicas of the service on one catalogue."""
