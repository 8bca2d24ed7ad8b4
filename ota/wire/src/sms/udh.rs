//! TS 23.040 §9.2.3.24: the user data header.
