//! 3GPP TS 24.011: RP messages between SMSC and handset.
