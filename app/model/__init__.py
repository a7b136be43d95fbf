"""What things are: points, quality, units, time, station config, errors. Imports nothing of ours."""
