//! TS 23.040 §9.2: the TPDUs.
