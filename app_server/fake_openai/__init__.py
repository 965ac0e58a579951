"""An offline OpenAI: the issuer of sign-ins and the backend of requests in one small program, on loopback only.

For the demo, for this project's tests, and for the tests of applications that embed the server, in any language:
``app-server fake-openai`` runs it alone, and ``control`` documents how to program it over HTTP.

Nothing in here is a secret: tokens are made up, unsigned, and good for this program only. That is why they are
plain strings here, and shown by the recorder, unlike anywhere else in this project.

=================  ===========================================================================
``server``         ``FakeOpenAI``: starts it, and programs it from Python
``control``        the same over HTTP: ``/__fake__/…``
``issuer``         sign-in: authorize, token, revoke, device codes, personal access tokens
``backend``        usage, workspaces, settings, models
``responses``      the Responses API: who gets which answer
``script``         what a scripted answer may say
``echo``           what is said without a script; ``example_json``: the same where JSON is asked for
``answer``         an answer as a response object and as events
``streaming``      sending events, and breaking off
``expiries``       tokens that expire now, after some requests, or in the middle of a stream
``state``          accounts, issued tokens, refresh families, codes
``faults``         what goes wrong on demand
``recorder``       what it was asked
``routing``        paths to routes; the authorisation of each
``tokens``         JSON Web Tokens with real claims
``main``           the command line's entry
=================  ===========================================================================
"""
