"""The audit trail, read; acts of many transactions, stopped or lost."""
