//! TS 23.038 §6: the GSM 7-bit default alphabet.
