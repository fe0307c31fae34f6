"""Reports and dashboards: what is asked of an object's records, how it is drawn, who keeps it."""
