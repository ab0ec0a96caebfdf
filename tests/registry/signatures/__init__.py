"""Signatures of versions, made by the stock tools."""
