//! Every identity that the history of a branch ever declared, and its cache.
