//! TS 23.040 §9.2.3.11: time stamps.
