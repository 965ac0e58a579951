"""What stands in the way of a login: for ``app-server doctor`` and ``account/diagnose``. Nothing is changed here.

``report`` puts the findings together; ``store``, ``login``, ``ports``, ``network`` and ``software`` each look at what
their names say. Findings are values of the wire (``protocol.diagnosis``), and none of them holds a secret.
"""
