"""The page that a person reads after a run.

Owns plots and page. Must not judge: verdicts and intervals are the operator's, and are repeated here. Nothing
on the page is fetched from elsewhere: it is one file that can be mailed.
"""
