"""The bus: carries committed events to groups of handlers; one contract, a back end by the setting EVENTS_BUS."""
