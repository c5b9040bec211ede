"""What an operator may write, one kind a file: a type for the schema, a check with a sentence."""
