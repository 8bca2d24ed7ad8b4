//! Octets that must not be shown.
