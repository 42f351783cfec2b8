"""Moving an index: its stored vectors are projected into a new collection beside the old one."""
