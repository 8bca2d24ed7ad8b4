//! midsim's own applet protocol between MSSP and SIM.
