"""What is removed after how many days, over all wings and Dagster's own records."""
