//! TS 23.038 §4: the data coding scheme.
