"""From files to catalogue rows: sources, jobs and the worker."""
