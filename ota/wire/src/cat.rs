//! TS 102 223 and TS 31.111: the card application toolkit.
