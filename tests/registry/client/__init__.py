"""maestro-ci on artifacts, gates and runs."""
