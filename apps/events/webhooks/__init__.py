"""Webhooks: events that leave for addresses people chose, and signed messages that come in as events.

Offers services in `endpoints` and `sources`, reads in `queries`. Never calls an address but through
`apps.core.egress`, and never sends what the endpoint's owner may not read.
"""
