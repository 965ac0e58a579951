"""What makes and checks that which is distributed. Nothing here is part of it, but for ``zipapp/bootstrap.py``."""
