"""The editor of one device of the station's file. It shows and asks; whoever shows it knows the file."""
