"""The operator's console: pages over the API's own handlers, for people who signed in."""
