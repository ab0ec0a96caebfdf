"""Files: bytes by digest, the folders that hold them, what is shown of them."""
