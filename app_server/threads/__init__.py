"""Conversations: threads, their turns, and what a turn does with the model and the parent's tools.

What to read where: ``registry`` the threads there are · ``thread`` one loaded thread · ``turn`` one turn from input to
``turn/completed`` · ``sampling`` one request to the model with its retries · ``stream`` what comes back, made into
items · ``tool_calls`` the parent's tools at work · ``compaction`` when the history outgrows the model · ``history``
and ``prompt`` what the model is told · ``announcements`` what the client is told.
Where threads are kept is ``app_server.rollouts``; how a request reaches the model is ``app_server.backend``.
"""
