"""The bench: many threads, two tenants, one installation, faults inside transactions: is a row ever foreign, or lost?"""
