"""Who may call: tokens, scopes, rates and the page's session."""
