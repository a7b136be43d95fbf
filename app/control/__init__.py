"""From wishes to the field: strategies, arbiter, protection, dispatcher, ledger. Knows no driver and no database."""
