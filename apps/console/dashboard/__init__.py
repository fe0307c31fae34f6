"""The dashboard: is everything well, what needs me, how is it going."""
