"""Companies and people: columns, ids, states and the one rule set every wing judges by."""
