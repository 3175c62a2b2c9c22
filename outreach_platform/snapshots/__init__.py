"""The first wing: pull, split, kill switches, publish, record. One version of one state a run."""
