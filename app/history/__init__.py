"""What was true: samples and tiers in DuckDB and Parquet, queries and exports (docs/explanation/history.md)."""
