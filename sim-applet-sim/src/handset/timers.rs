//! What a terminal does for a card besides screen and radio: timers, the time, the menu (ETSI TS 102 223 §6.4.7,
//! §6.4.15, §6.4.21).

use jiff::{SignedDuration, Timestamp};
use ota_wire::apdu::{Command, Ins, Sw};
use ota_wire::cat::{
    CommandDetails, Element, Envelope, Item, Qualifier, TerminalResponse, TerminalResult, TimerId,
    TimerValue, tag,
};
use ota_wire::sms::scts::Scts;

use super::prompt::Menu;
use super::{Output, Phone, Refusal, TimerKey, Turn};
use crate::event::EventKind;

/// A running timer of the card.
#[derive(Clone, Copy, Debug)]
pub(super) struct CardTimer {
    id: TimerId,
    seconds: u32,
    due: Timestamp,
}

impl Phone {
    pub(super) fn manage_timer(
        &mut self,
        details: CommandDetails,
        id: TimerId,
        value: Option<TimerValue>,
        turn: &mut Turn<'_>,
    ) -> TerminalResponse {
        let answer = |result| TerminalResponse::new(details, result);
        let Some(powered) = self.powered.as_mut().filter(|_| (1..=8).contains(&id.0)) else {
            return answer(TerminalResult::DATA_NOT_UNDERSTOOD);
        };
        let running = powered.timers.iter().find(|timer| timer.id == id).copied();
        match (details.qualifier, value.map(TimerValue::seconds)) {
            (Qualifier::TIMER_START, Some(Some(seconds))) => {
                let after = SignedDuration::from_secs(seconds.into());
                powered.timers.retain(|timer| timer.id != id);
                powered.expired.retain(|timer| timer.id != id);
                powered.timers.push(CardTimer {
                    id,
                    seconds,
                    due: turn.now.saturating_add(after).unwrap_or(Timestamp::MAX),
                });
                turn.start_timer(TimerKey::Card(id.0), after);
                answer(TerminalResult::OK).with(Element::new(tag::TIMER_IDENTIFIER, [id.0]))
            }
            (Qualifier::TIMER_START, None) => answer(TerminalResult::VALUES_MISSING),
            (Qualifier::TIMER_DEACTIVATE | Qualifier::TIMER_GET, _) => match running {
                Some(timer) => {
                    if details.qualifier == Qualifier::TIMER_DEACTIVATE {
                        powered.timers.retain(|timer| timer.id != id);
                        turn.stop_timer(TimerKey::Card(id.0));
                    }
                    let left = timer.due.duration_since(turn.now).as_secs().max(0);
                    let left = u32::try_from(left).unwrap_or(u32::MAX);
                    answer(TerminalResult::OK).with_timer(id, TimerValue::from_seconds(left))
                }
                None => answer(TerminalResult::TIMER_CONTRADICTION),
            },
            _ => answer(TerminalResult::DATA_NOT_UNDERSTOOD),
        }
    }

    /// A timer of the card ran out. It is told when it has nothing else for the terminal to do.
    pub(super) fn card_timer_ran_out(&mut self, id: u8, turn: &mut Turn<'_>) {
        if let Some(powered) = &mut self.powered {
            let due = |timer: &CardTimer| timer.id.0 == id && timer.due <= turn.now;
            powered
                .expired
                .extend(powered.timers.extract_if(.., |timer| due(timer)));
        }
        self.tell_expired(turn);
    }

    /// Tells the card of timers that ran out, as long as it has nothing for the terminal to do.
    pub(super) fn tell_expired(&mut self, turn: &mut Turn<'_>) {
        while let Some(timer) = self.next_expired() {
            let envelope = Envelope::TimerExpiration {
                timer: timer.id,
                value: TimerValue::from_seconds(timer.seconds),
                extra: Vec::new(),
            };
            let command = Command::new(0x80, Ins::ENVELOPE, 0, 0).with_data(envelope.emit());
            let sw = self.exchange(&command, turn).sw;
            if sw == Sw::BUSY {
                // It is told later.
                if let Some(powered) = &mut self.powered {
                    powered.expired.insert(0, timer);
                }
                return;
            }
            self.run_toolkit(sw, turn);
        }
    }

    fn next_expired(&mut self) -> Option<CardTimer> {
        let powered = self.powered.as_mut()?;
        let idle = powered.prompt.is_none() && powered.sending.is_none();
        (idle && !powered.expired.is_empty()).then(|| powered.expired.remove(0))
    }

    /// Forgets the card's timers; for power off and reset.
    pub(super) fn stop_card_timers(&mut self, turn: &mut Turn<'_>) {
        if let Some(powered) = &mut self.powered {
            for timer in powered.timers.drain(..) {
                turn.stop_timer(TimerKey::Card(timer.id.0));
            }
            powered.expired.clear();
        }
    }

    /// PROVIDE LOCAL INFORMATION.
    pub(super) fn local_information(
        &self,
        details: CommandDetails,
        turn: &Turn<'_>,
    ) -> TerminalResponse {
        /// A test IMEI (TAC 00101700), in swapped semi-octets behind its type.
        const IMEI: [u8; 8] = [0x0A, 0x10, 0x10, 0x07, 0x00, 0x00, 0x00, 0x00];
        const NO_SERVICE: u8 = 0x04;
        let ok = TerminalResponse::new(details, TerminalResult::OK);
        match details.qualifier {
            Qualifier::LOCAL_LOCATION if self.is_attached() => {
                ok.with(Element::new(tag::LOCATION_INFORMATION, self.location()))
            }
            Qualifier::LOCAL_LOCATION => {
                TerminalResponse::new(details, TerminalResult::TERMINAL_BUSY)
                    .with_additional(NO_SERVICE)
            }
            Qualifier::LOCAL_IMEI => ok.with(Element::new(tag::IMEI, IMEI)),
            Qualifier::LOCAL_DATE_TIME => ok.with_date_time(Scts::utc(turn.now).0),
            Qualifier::LOCAL_LANGUAGE => ok.with(Element::new(tag::LANGUAGE, *b"en")),
            _ => TerminalResponse::new(details, TerminalResult::BEYOND_CAPABILITY),
        }
    }

    /// MCC and MNC of the home network, location area 1, cell 1 (TS 31.111 §8.19).
    fn location(&self) -> [u8; 7] {
        let imsi = self.subscriber().imsi.digits().as_bytes();
        let digit = |at: usize| imsi.get(at).map_or(0x0F, |digit| digit & 0x0F);
        [
            digit(1) << 4 | digit(0),
            0xF0 | digit(2),
            digit(4) << 4 | digit(3),
            0x00,
            0x01,
            0x00,
            0x01,
        ]
    }

    /// SET UP MENU: no items take it away.
    pub(super) fn set_menu(&mut self, title: String, items: Vec<Item>) {
        if let Some(powered) = &mut self.powered {
            powered.menu = Menu::of_card(title, items);
        }
    }

    /// The user chooses from the card's menu.
    pub(super) fn select_item(&mut self, item: u8, turn: &mut Turn<'_>) {
        let refused = match &self.powered {
            Some(powered) if powered.prompt.is_some() || powered.sending.is_some() => {
                Some(Refusal::ScreenInUse)
            }
            Some(powered) if powered.menu.as_ref().is_some_and(|menu| menu.has(item)) => None,
            None if self.is_in_reader() => Some(Refusal::CardInReader),
            _ => Some(Refusal::NoSuchItem),
        };
        if let Some(reason) = refused {
            let id = u64::from(item);
            self.note(EventKind::Refused { id, reason }, turn);
            turn.output(Output::NotSelected { item, reason });
            return;
        }
        let envelope = Envelope::MenuSelection {
            item,
            help: false,
            extra: Vec::new(),
        };
        let command = Command::new(0x80, Ins::ENVELOPE, 0, 0).with_data(envelope.emit());
        let sw = self.exchange(&command, turn).sw;
        if sw == Sw::BUSY {
            let reason = Refusal::CardBusy;
            turn.output(Output::NotSelected { item, reason });
        }
        self.run_toolkit(sw, turn);
    }

    /// REFRESH (TS 102 223 §6.4.7): what the handset knows from files is read again; a reset is answered by none.
    pub(super) fn refresh(
        &mut self,
        details: CommandDetails,
        turn: &mut Turn<'_>,
    ) -> Option<TerminalResponse> {
        const LAST_KNOWN: u8 = 0x03;
        match details.qualifier {
            Qualifier::REFRESH_UICC_RESET => {
                self.stop_card_timers(turn);
                if let Some(powered) = &mut self.powered {
                    powered.menu = None;
                }
                self.start_card(turn);
                None
            }
            // NAA initialization in its forms, and file change notification.
            Qualifier(0x00..=LAST_KNOWN) => {
                self.read_what_it_knows(turn);
                let result = TerminalResult::ADDITIONAL_EFS_READ;
                Some(TerminalResponse::new(details, result))
            }
            _ => Some(TerminalResponse::new(
                details,
                TerminalResult::BEYOND_CAPABILITY,
            )),
        }
    }
}
