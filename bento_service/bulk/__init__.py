"""Bulk ingest: folders of pictures described outside of the service, on one machine or on many."""

from bento_service.bulk.describing import Batch, Broken, BulkDescriber, Candidate, describe_batches

__all__ = ["Batch", "Broken", "BulkDescriber", "Candidate", "describe_batches"]
