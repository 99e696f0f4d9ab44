"""Access control: tokens, scopes, rate limits and the page's session."""
