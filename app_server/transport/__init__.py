"""How messages come in and go out as bytes; what they mean is not known here."""
