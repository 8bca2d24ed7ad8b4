//! The UICC, its CardManager, the PIN applet and the handset.

mod applet;
mod card_manager;
pub mod event;
pub mod handset;
pub mod pin;
pub mod profile;
pub mod state;
pub mod uicc;
pub mod user;

#[cfg(test)]
mod testing;
