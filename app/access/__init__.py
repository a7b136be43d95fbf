"""Who may: accounts, roles and sessions, the one gate, the audit, secrets."""
