"""The tabs of the Control page."""
