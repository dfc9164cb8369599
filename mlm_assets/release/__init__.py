"""What researchers download: layouts and files of a release. Imports nothing of Dagster."""
