//! Key sets and their derivation per SIM.
