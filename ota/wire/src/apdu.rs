//! TS 102 221: command and response APDUs.
