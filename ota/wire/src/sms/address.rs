//! TS 23.040 §9.1.2.5: addresses.
