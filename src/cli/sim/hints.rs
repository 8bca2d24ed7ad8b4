//! What to try with a card in a reader. All of it can be pasted into a shell as it stands.

use std::fmt::Write as _;
use std::net::SocketAddr;

use sim_applet_sim::pin::PinCode;

use crate::cards::{KnownCard, KnownCode};
use crate::sockets::vpcd;

/// Commands for this card in the reader whose driver listens there.
pub(super) fn hints(reader: &str, card: &KnownCard) -> String {
    let mut text = String::from("# Try in another terminal:\nopensc-tool -l\n");
    let number = match slot(reader) {
        // As pcscd counts where it has no other readers.
        Some(slot) => slot.to_string(),
        None => {
            text.push_str(
                "# The number of the reader: here that of the first one with a card.\n\
                 N=$(opensc-tool -l | awk '$2 == \"Yes\" { print $1; exit }')\n",
            );
            "\"$N\"".to_owned()
        }
    };
    let _ = write!(
        text,
        "opensc-tool -r {number} -a\n\
         opensc-tool -r {number} -s 00:A4:00:04:02:3F:00\n\
         pcsc_scan -n -t 1\n"
    );
    if let Some(command) = disable(&card.pin1) {
        let _ = write!(
            text,
            "# Switches PIN1 off, for tools that know no PIN:\nopensc-tool -r {number} -s {command}\n"
        );
    }
    let _ = write!(
        text,
        "pySim-read.py -p {number}\n\
         pySim-shell.py -p {number} --noprompt -e 'select MF' -e 'dir' -e quit\n\
         # {}\n",
        codes(card)
    );
    text
}

/// Which of the two slots of the driver on this machine that is.
fn slot(reader: &str) -> Option<u16> {
    let first: SocketAddr = vpcd::READER.parse().ok()?;
    let (host, port) = reader.rsplit_once(':')?;
    let address = host.trim_matches(['[', ']']).parse();
    let here = host == "localhost"
        || address.is_ok_and(|ip: std::net::IpAddr| ip.to_canonical().is_loopback());
    let slot = port.parse::<u16>().ok()?.checked_sub(first.port())?;
    (here && slot < vpcd::SLOTS).then_some(slot)
}

/// DISABLE PIN (TS 102 221 §11.1.11), where that can work.
fn disable(pin: &KnownCode) -> Option<String> {
    let code: PinCode = pin.code.as_ref()?.parse().ok()?;
    let works = pin.enabled && pin.may_be_disabled && pin.tries > 0;
    let octets = || hex::encode_upper(code.octets());
    works.then(|| format!("002600{}08{}", pin.reference, octets()))
}

fn codes(card: &KnownCard) -> String {
    let (pin1, pin2, adm1) = (&card.pin1, &card.pin2, &card.adm1);
    let mut words = vec![
        format!("PIN1 {}", shown(pin1)),
        format!("PIN2 {}", shown(pin2)),
    ];
    let unblock = |code: &KnownCode| code.unblock.clone().unwrap_or_else(|| "none".to_owned());
    if pin1.unblock == pin2.unblock {
        words.push(format!("PUK {}", unblock(pin1)));
    } else {
        words.push(format!("PUK1 {}, PUK2 {}", unblock(pin1), unblock(pin2)));
    }
    let octets = adm1
        .code
        .as_deref()
        .and_then(|code| code.parse::<PinCode>().ok())
        .map(|code| format!(" (hex {})", hex::encode_upper(code.octets())));
    words.push(format!(
        "ADM1 {}{}",
        shown(adm1),
        octets.unwrap_or_default()
    ));
    words.join(", ")
}

fn shown(code: &KnownCode) -> String {
    let digits = code.code.as_deref().unwrap_or("changed");
    match code {
        KnownCode { tries: 0, .. } => format!("{digits} (blocked)"),
        KnownCode { enabled: false, .. } => format!("{digits} (off)"),
        _ => digits.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(digits: &str, reference: &str, unblock: Option<&str>) -> KnownCode {
        KnownCode {
            code: Some(digits.to_owned()),
            reference: reference.to_owned(),
            enabled: true,
            may_be_disabled: true,
            tries: 3,
            unblock: unblock.map(str::to_owned),
        }
    }

    fn card() -> KnownCard {
        KnownCard {
            iccid: "8944770090000000026".to_owned(),
            profile: "default".to_owned(),
            pin1: code("0000", "01", Some("12345678")),
            pin2: code("1111", "81", Some("12345678")),
            adm1: code("12345", "0A", None),
        }
    }

    #[test]
    fn the_reader_has_the_number_of_its_slot() {
        for (reader, number) in [
            ("127.0.0.1:35963", "0"),
            ("localhost:35964", "1"),
            ("[::1]:35964", "1"),
            ("127.0.0.1:35965", "\"$N\""),
            ("127.0.0.1:35962", "\"$N\""),
            ("192.0.2.1:35963", "\"$N\""),
        ] {
            let text = hints(reader, &card());
            let expected = format!("\nopensc-tool -r {number} -a\n");
            assert!(text.contains(&expected), "{reader}: {text}");
            assert_eq!(text.contains("\nN=$("), number != "0" && number != "1");
        }
    }

    #[test]
    fn only_a_pin_that_is_known_and_asked_for_can_be_switched_off() {
        let changes: [fn(&mut KnownCode); 4] = [
            |pin| pin.enabled = false,
            |pin| pin.may_be_disabled = false,
            |pin| pin.tries = 0,
            |pin| pin.code = None,
        ];
        let mut last = vec![hints(vpcd::READER, &card())];
        for change in changes {
            let mut card = card();
            change(&mut card.pin1);
            last.push(hints(vpcd::READER, &card));
        }
        let disables: Vec<_> = last
            .iter()
            .map(|text| text.contains("002600010830303030FFFFFFFF"))
            .collect();
        assert_eq!(disables, [true, false, false, false, false]);
        let rest = "PIN2 1111, PUK 12345678, ADM1 12345 (hex 3132333435FFFFFF)\n";
        for (text, pin1) in
            last.iter()
                .zip(["0000", "0000 (off)", "0000", "0000 (blocked)", "changed"])
        {
            let line = format!("# PIN1 {pin1}, {rest}");
            assert!(text.ends_with(&line), "{text}");
        }
    }
}
