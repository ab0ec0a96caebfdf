"""Cases: histories in files, with known or later truth, that the estimators are judged by. No database."""
