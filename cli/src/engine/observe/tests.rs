//! A look for real at a tree of our own, and what can be made of a reply.
