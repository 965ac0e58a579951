"""What the tests of the whole server share: a server at the other end of real pipes."""
