"""Settings of a run.

``model`` declares each setting with its default and help text; ``load`` merges defaults, preset, config file and flags;
``toml`` writes settings down.
"""
