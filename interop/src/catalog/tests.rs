//! Reading, refusing, writing, merging.
