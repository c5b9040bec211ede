"""The first hour: what an operator is asked, the files that come of it, and what is left to do."""
