"""A station that is not there: physics, and real protocol servers on loopback."""
