"""The tenants room: a whole tenant as a folder of open formats, written out of one installation and read into another."""
