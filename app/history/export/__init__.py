"""Samples and buckets as CSV, Excel and Parquet files, as docs/reference promises them."""
