"""The command line: what a person or a script types. ``argv`` decides what is wanted, ``commands`` carries it out."""
