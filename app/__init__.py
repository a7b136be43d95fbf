"""Gridroom: the control room of an energy station on one screen."""

__version__ = "0.1.0"
