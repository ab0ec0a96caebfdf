"""How long an import of many runs takes."""
