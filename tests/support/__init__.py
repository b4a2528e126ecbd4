"""Real programs that tests run against; used by more than one folder of tests."""
