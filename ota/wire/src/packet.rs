//! TS 102 225 secured packets as TS 31.115 puts them on SMS.
