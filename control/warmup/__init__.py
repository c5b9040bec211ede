"""Warm-up that runs itself: evidence of each IP is judged, what follows is a change like an
operator's, and every decision says why.

Owns: `warmup_state`, `warmup_decision`, `warmup_reply`. Not here: the rule (`policy.warmup`), the
stage and the state of an IP (`control.sources.ip`), counting (`control.statistics`).
"""
