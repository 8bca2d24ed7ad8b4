//! The card and the handset of one subscriber.
//!
//! | module | what | pages |
//! |---|---|---|
//! | [`handset`] | [`handset::Phone`]: RP messages and prompts outside, APDUs inside | `docs/handset.md` |
//! | [`uicc`] | the card at its contacts: files, codes, toolkit | `docs/card.md` |
//! | `card_manager` | secured packets, from SMS to application | `docs/card.md` |
//! | `applet` | the signature applet | `docs/applet.md` |
//! | [`state`] | what a card keeps without power | `docs/card.md` |
//! | [`profile`] | what all cards of a kind share | |
//! | [`scan`] | looks for weaknesses as a scanner does | `docs/card.md` |
//! | [`user`] | scripted users | `docs/handset.md` |
//! | [`event`] | what happened, for the trace | |
//!
//! Nothing here has a clock, chance, sockets or files of its own. A step takes what happened, the time and chance, and
//! gives back what is to be done; whoever runs it journals the card's state before doing it.

mod applet;
mod card_manager;
pub mod event;
pub mod handset;
pub mod pin;
pub mod profile;
pub mod scan;
pub mod state;
pub mod uicc;
pub mod user;

#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod testing;
