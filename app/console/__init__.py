"""The screen: main window, pages, and the one bridge from a running station to Qt."""
