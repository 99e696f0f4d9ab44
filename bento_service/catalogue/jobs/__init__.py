"""Jobs, their files, results and retries."""
