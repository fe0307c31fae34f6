"""Audit: the ledger. Owns pending rows, chained entries and heads; offers ledger.record and queries; must never hold a foreign key."""
