"""The main job end to end, with the policy's answer computed beside it."""
