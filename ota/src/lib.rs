//! The OTA platform and the SMSC.
