"""Who somebody is, and what they may do: logins, roles, tokens, proposals."""
