"""The kinds of strategies: pure functions of a frozen view and a small state of their own."""
