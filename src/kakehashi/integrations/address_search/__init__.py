"""One question to a store by its address, through the retrievers that users build themselves."""
