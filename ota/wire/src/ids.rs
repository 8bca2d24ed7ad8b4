//! Identifiers: MSISDN, ICCID, IMSI, TAR, CNTR.
