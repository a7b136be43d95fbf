"""The pages of the console: what a person works with, made of widgets and one station facade."""
