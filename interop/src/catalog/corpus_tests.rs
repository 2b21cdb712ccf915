//! Reading of the real inputs in the corpus.
