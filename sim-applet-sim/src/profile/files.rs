//! The files of midsim's own card: 3GPP TS 31.102 §4.2 under a USIM, ETSI TS 102 221 §13 under the MF.

use ota_wire::ids::Msisdn;

use crate::uicc::file::{Access, Condition, Content, FileIndex, FileSystem, fid};

/// The USIM's application identifier.
pub(super) const USIM_AID: [u8; 16] = [
    0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02, 0xFF, 0xFF, 0xFF, 0xFF, 0x89, 0x07, 0x09, 0x00, 0x00,
];

/// Messages that EF.SMS holds.
const SMS_SLOTS: usize = 10;
const SMS_RECORD: usize = 176;
const DIR_RECORD: usize = 38;
/// Home network of the test IMSIs, 001/01, as TS 24.008 codes it.
const PLMN: [u8; 3] = [0x00, 0xF1, 0x10];

const PUBLIC: Access = access(Condition::Always, Condition::Adm1);
const READ_PIN1: Access = access(Condition::Pin1, Condition::Adm1);
const OWN: Access = access(Condition::Pin1, Condition::Pin1);
const OWN_PUBLIC: Access = access(Condition::Always, Condition::Pin1);

/// The tree.
pub(super) fn standard(smsc: &Msisdn) -> FileSystem {
    const MF: FileIndex = FileIndex::MF;
    let mut fs = FileSystem::new();
    let f = |octets: &[u8]| Content::Fixed(octets.to_vec());
    let blank = |len: usize| Content::Fixed(vec![0xFF; len]);

    fs.linear(MF, fid::DIR, Some(0x1E), PUBLIC, DIR_RECORD, directory());
    fs.transparent(MF, fid::PL, Some(0x05), OWN_PUBLIC, f(b"en\xFF\xFF"));
    fs.transparent(MF, fid::ICCID, Some(0x02), PUBLIC, Content::Iccid);

    let usim = fs.adf(0x7FF0, &USIM_AID);
    let mut ef = |fid, sfi, access, content| fs.transparent(usim, fid, sfi, access, content);
    ef(0x6F05, Some(0x02), OWN_PUBLIC, f(b"en\xFF\xFF"));
    ef(fid::IMSI, Some(0x07), READ_PIN1, Content::Imsi);
    ef(0x6F08, Some(0x08), OWN, keys());
    ef(0x6F09, Some(0x09), OWN, keys());
    ef(0x6F31, Some(0x12), READ_PIN1, f(&[0x05]));
    ef(0x6F38, Some(0x04), READ_PIN1, f(&SERVICES));
    ef(0x6F3E, None, READ_PIN1, blank(2));
    ef(0x6F43, None, OWN, blank(2));
    ef(0x6F46, None, PUBLIC, name(b"midsim"));
    ef(0x6F56, Some(0x05), OWN, f(&[0x00]));
    ef(0x6F5B, Some(0x0F), OWN, f(&[0xF0, 0, 0, 0xF0, 0, 0]));
    ef(0x6F5C, Some(0x10), READ_PIN1, blank(3));
    ef(0x6F60, Some(0x0A), OWN, blank(40));
    ef(0x6F61, Some(0x11), READ_PIN1, blank(40));
    ef(0x6F62, Some(0x13), READ_PIN1, blank(5));
    ef(0x6F73, Some(0x0C), OWN, f(&packet_location()));
    ef(0x6F78, Some(0x06), READ_PIN1, Content::AccessClass);
    ef(0x6F7B, Some(0x0D), OWN, blank(12));
    ef(0x6F7E, Some(0x0B), OWN, f(&location()));
    ef(0x6FAD, Some(0x03), PUBLIC, f(&[0x00, 0x00, 0x00, 0x02]));
    ef(0x6FD9, Some(0x1D), READ_PIN1, blank(3));

    let sms = sms_slots();
    fs.linear(usim, fid::SMS, None, OWN, SMS_RECORD, sms);
    fs.linear(usim, 0x6F40, None, OWN, 28, Content::Msisdn);
    let parameters = sms_parameters(smsc);
    fs.linear(usim, fid::SMSP, None, OWN, parameters.len(), f(&parameters));
    let emergency = f(&[0x11, 0xF2, 0xFF, 0x1F]);
    fs.linear(usim, 0x6FB7, Some(0x01), PUBLIC, 4, emergency);
    fs
}

const fn access(read: Condition, update: Condition) -> Access {
    Access { read, update }
}

/// EF.UST, TS 31.102 §4.2.8: one bit a service, the first octet holds services 1 to 8.
const SERVICES: [u8; 9] = {
    const AVAILABLE: [u8; 11] = [10, 12, 17, 19, 20, 21, 28, 34, 42, 43, 71];
    let mut octets = [0; 9];
    let mut i = 0;
    while i < AVAILABLE.len() {
        let bit = AVAILABLE[i] - 1;
        octets[(bit / 8) as usize] |= 1 << (bit % 8);
        i += 1;
    }
    octets
};

/// EF.DIR, TS 102 221 §13.1: the USIM, and room for one more application.
fn directory() -> Content {
    let mut record = vec![
        0x61,
        (2 + USIM_AID.len() + 2 + 4) as u8,
        0x4F,
        USIM_AID.len() as u8,
    ];
    record.extend(USIM_AID);
    record.extend(b"\x50\x04USIM");
    record.resize(2 * DIR_RECORD, 0xFF);
    Content::Fixed(record)
}

/// EF.Keys and EF.KeysPS: no key yet (KSI 7).
fn keys() -> Content {
    let mut octets = vec![0xFF; 33];
    octets[0] = 0x07;
    Content::Fixed(octets)
}

/// EF.SPN: display of the network's name required, then the name.
fn name(text: &[u8]) -> Content {
    let mut octets = vec![0x01];
    octets.extend_from_slice(text);
    octets.resize(17, 0xFF);
    Content::Fixed(octets)
}

/// EF.LOCI: no TMSI, an area of the home network, not updated.
fn location() -> [u8; 11] {
    const NOT_UPDATED: u8 = 0x01;
    let [a, b, c] = PLMN;
    [
        0xFF,
        0xFF,
        0xFF,
        0xFF,
        a,
        b,
        c,
        0x00,
        0x00,
        0xFF,
        NOT_UPDATED,
    ]
}

/// EF.PSLOCI, likewise.
fn packet_location() -> [u8; 14] {
    let mut octets = [0xFF; 14];
    octets[7..10].copy_from_slice(&PLMN);
    octets[10..].copy_from_slice(&[0x00, 0x00, 0xFF, 0x01]);
    octets
}

/// EF.SMS: free records.
fn sms_slots() -> Content {
    let mut record = [0xFF; SMS_RECORD];
    record[0] = 0x00;
    Content::Fixed(record.repeat(SMS_SLOTS))
}

/// One record of EF.SMSP (TS 31.102 §4.2.27): only the service centre's address is given.
fn sms_parameters(smsc: &Msisdn) -> Vec<u8> {
    const NAME_LEN: usize = 12;
    const ONLY_SERVICE_CENTRE: u8 = 0xFD;
    const SERVICE_CENTRE: usize = NAME_LEN + 13;
    const INTERNATIONAL_E164: u8 = 0x91;
    let mut record = vec![0xFF; NAME_LEN + 28];
    record[NAME_LEN] = ONLY_SERVICE_CENTRE;
    let digits: Vec<u8> = smsc.digits().bytes().map(|digit| digit - b'0').collect();
    record[SERVICE_CENTRE] = (1 + digits.len().div_ceil(2)) as u8;
    record[SERVICE_CENTRE + 1] = INTERNATIONAL_E164;
    for (place, pair) in record[SERVICE_CENTRE + 2..]
        .iter_mut()
        .zip(digits.chunks(2))
    {
        *place = pair.get(1).unwrap_or(&0x0F) << 4 | pair[0];
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services() {
        // By hand: 10 and 12 in octet 2, 17 19 20 21 in octet 3, 28 in 4, 34 in 5, 42 43 in 6, 71 in 9.
        assert_eq!(hex::encode(SERVICES), "000a1d080206000040");
    }

    #[test]
    fn service_centre() {
        let record = sms_parameters(&"+447700900999".parse().unwrap());
        assert_eq!(
            hex::encode(&record[12..]),
            "fdffffffffffffffffffffffff0791447700099099ffffffffffffff"
        );
    }

    #[test]
    fn every_file_can_be_described_in_127_octets() {
        let fs = standard(&"+447700900999".parse().unwrap());
        let usim = fs.child(FileIndex::MF, 0x7FF0).unwrap();
        for index in [FileIndex::MF, usim] {
            assert!(fs.fcp(index, 0xE0).len() <= 127);
        }
    }
}
