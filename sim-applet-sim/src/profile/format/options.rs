//! What a profile may say about the signature applet and about the handset: the entries `[applet]` and `[handset]`.

use ota_wire::ids::Tar;
use serde::Deserialize;

use super::{Hex, ProfileError, wrong};
use crate::pin::PinCode;
use crate::profile::{AppletProfile, HandsetProfile};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AppletEntry {
    pin_tries: Option<u8>,
    puk_tries: Option<u8>,
    retries: Option<u8>,
    retry_after: Option<u8>,
    pin_prompt: Option<String>,
    text_in_prompt: Option<bool>,
    tone: Option<Hex>,
    menu: Option<bool>,
}

impl AppletEntry {
    pub(super) fn build(self, tar: Tar, msl: u8) -> Result<AppletProfile, ProfileError> {
        let standard = AppletProfile::standard();
        Ok(AppletProfile {
            tar,
            msl,
            pin_tries: within(
                "applet.pin_tries",
                self.pin_tries,
                standard.pin_tries,
                1,
                15,
            )?,
            puk_tries: within(
                "applet.puk_tries",
                self.puk_tries,
                standard.puk_tries,
                1,
                15,
            )?,
            retries: within("applet.retries", self.retries, standard.retries, 0, 15)?,
            retry_after: within(
                "applet.retry_after",
                self.retry_after,
                standard.retry_after,
                1,
                255,
            )?,
            pin_prompt: match self.pin_prompt {
                Some(long) if long.is_empty() || long.chars().count() > LONGEST_PROMPT => {
                    let expected = format!("1 to {LONGEST_PROMPT} characters");
                    return Err(wrong("applet.pin_prompt", &expected, &long));
                }
                Some(prompt) => prompt,
                None => standard.pin_prompt,
            },
            text_in_prompt: self.text_in_prompt.unwrap_or(standard.text_in_prompt),
            tone: match &self.tone {
                Some(tone) => Some(tone.octet("applet.tone")?),
                None => standard.tone,
            },
            menu: self.menu.unwrap_or(standard.menu),
            ..standard
        })
    }
}

/// Characters of the question for the PIN: in UCS2, too, it has room in a command.
const LONGEST_PROMPT: usize = 60;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HandsetEntry {
    terminal_profile: Option<Hex>,
    screen_characters: Option<u8>,
    prompt_timeout: Option<u32>,
    network_timeout: Option<u32>,
}

impl HandsetEntry {
    /// `pin1` is the card's: whoever buys a handset knows the PIN of the own card.
    pub(super) fn build(self, pin1: PinCode) -> Result<HandsetProfile, ProfileError> {
        let standard = HandsetProfile::standard();
        let terminal_profile = match self.terminal_profile {
            Some(Hex(octets)) if !(1..=255).contains(&octets.len()) => {
                let got = format!("{} octets", octets.len());
                return Err(wrong("handset.terminal_profile", "1 to 255 octets", &got));
            }
            Some(Hex(octets)) => octets,
            None => standard.terminal_profile,
        };
        Ok(HandsetProfile {
            terminal_profile,
            pin1: Some(pin1),
            prompt_timeout: within(
                "handset.prompt_timeout",
                self.prompt_timeout,
                standard.prompt_timeout,
                1,
                DAY,
            )?,
            screen_characters: self
                .screen_characters
                .map_or(standard.screen_characters, usize::from),
            network_timeout: within(
                "handset.network_timeout",
                self.network_timeout,
                standard.network_timeout,
                1,
                DAY,
            )?,
        })
    }
}

const DAY: u32 = 86_400;

fn within<T: PartialOrd + std::fmt::Display>(
    what: &str,
    given: Option<T>,
    standard: T,
    least: T,
    most: T,
) -> Result<T, ProfileError> {
    match given {
        Some(value) if value < least || value > most => Err(wrong(
            what,
            &format!("{least} to {most}"),
            &value.to_string(),
        )),
        Some(value) => Ok(value),
        None => Ok(standard),
    }
}
