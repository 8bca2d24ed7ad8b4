//! Wire formats of SIM OTA messaging.
