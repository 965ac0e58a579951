"""Where a login outlives the process: files, keyrings, and what programs that share a home owe each other."""
