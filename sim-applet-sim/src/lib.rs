//! The UICC, its CardManager, the PIN applet and the handset.
