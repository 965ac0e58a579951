"""Testing a parent application without a network: a pytest plugin, and what it is made of.

Installed with ``pip install 'app-server[testing]'``, pytest finds it by itself; ``-p no:app_server`` leaves it out.

=====================  =====================================================================================
``plugin``             fixtures, options and the report: the only module that imports pytest
``threaded_fake``      ``ThreadedFakeOpenAI``: the offline upstream for any event loop, or none (``fake_openai``)
``server_under_test``  ``ServerUnderTest``: how to start a server, and clients of it (``app_server``)
``homes``              a CODEX_HOME and an environment that lead to the fake
=====================  =====================================================================================

Nothing is imported here: pytest loads the plugin in every run of whoever has it installed.
"""
