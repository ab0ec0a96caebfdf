"""The tracking room: what is told of files of models and tables by their headers, of which nothing is run or unpacked."""
