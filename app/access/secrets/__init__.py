"""Secrets of a station: in the system's keyring, or sealed with a key file where there is none."""
