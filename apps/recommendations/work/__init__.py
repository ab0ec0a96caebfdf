"""Work: who trains when, in which process, and which model serves."""
