//! ETSI TS 102 221 §11.1.1.3 and §9.2: file control parameters and access rules.

use ota_wire::tlv::Writer;

use super::file::{Access, Body, Condition, File, FileIndex, FileSystem, fid};

impl FileSystem {
    /// File control parameters, TS 102 221 §11.1.1.3. `pin_status` is the bit map of enabled codes for tag C6.
    pub fn fcp(&self, index: FileIndex, pin_status: u8) -> Vec<u8> {
        let file = self.file(index);
        let mut writer = Writer::new();
        writer.constructed(tag::FCP, |fcp| {
            fcp.ber(tag::DESCRIPTOR, &descriptor(&file.body));
            fcp.ber(tag::FILE_ID, &file.fid.to_be_bytes());
            if let Body::Directory { aid } = &file.body {
                if let Some(aid) = aid {
                    fcp.ber(tag::DF_NAME, aid);
                }
                fcp.constructed(tag::PROPRIETARY, |inner| {
                    inner.ber(tag::UICC_CHARACTERISTICS, &[CLOCK_STOP_ANY_AND_ALL_CLASSES]);
                    if index == FileIndex::MF {
                        inner.ber(tag::TOTAL_MEMORY, &TOTAL_MEMORY.to_be_bytes());
                    }
                });
            }
            fcp.ber(tag::LIFE_CYCLE, &[ACTIVATED]);
            let [high, low] = fid::ARR.to_be_bytes();
            fcp.ber(
                tag::SECURITY_REFERENCED,
                &[high, low, self.rule_number(file)],
            );
            match &file.body {
                Body::Directory { .. } => {
                    fcp.constructed(tag::PIN_STATUS, |inner| {
                        inner.ber(tag::PIN_ENABLED, &[pin_status]);
                        for reference in PIN_STATUS_ORDER {
                            inner.ber(tag::KEY_REFERENCE, &[reference]);
                        }
                    });
                }
                Body::Transparent(content) | Body::Records { content, .. } => {
                    fcp.ber(tag::FILE_SIZE, &(content.len() as u16).to_be_bytes());
                    match file.sfi {
                        Some(sfi) => fcp.ber(tag::SFI, &[sfi << 3]),
                        None => fcp.ber(tag::SFI, &[]),
                    };
                }
            }
        });
        writer.into_bytes()
    }

    /// Number of the record of EF.ARR that holds a file's rule.
    fn rule_number(&self, file: &File) -> u8 {
        let position = self.rule_of(file);
        position.map_or(DIRECTORY_RULE, |position| {
            DIRECTORY_RULE + 1 + position as u8
        })
    }
}

/// Octets of an EF.ARR record: three access modes of at most 11 octets.
pub(super) const RULE_LEN: usize = 0x24;

/// The rule of directories, in record 1 of EF.ARR: nothing can be created or deleted. Those of elementary files follow.
const DIRECTORY_RULE: u8 = 1;

/// Contents of EF.ARR (TS 102 221 §9.2.4, expanded format): the rule of directories, then these.
pub(super) fn rule_records(rules: &[Access]) -> Vec<u8> {
    let mut directories = Writer::new();
    access_mode(&mut directories, mode::ALL_OF_A_DIRECTORY, Condition::Never);
    let elementary = rules.iter().map(|access| {
        let mut rule = Writer::new();
        access_mode(&mut rule, mode::READ, access.read);
        access_mode(&mut rule, mode::UPDATE, access.update);
        access_mode(&mut rule, mode::DEACTIVATE_ACTIVATE, Condition::Never);
        rule
    });
    std::iter::once(directories)
        .chain(elementary)
        .flat_map(|rule| {
            let mut record = rule.into_bytes();
            record.resize(RULE_LEN, 0xFF);
            record
        })
        .collect()
}

/// Key references in the order of the bits of the PIN status octet.
pub(super) const PIN_STATUS_ORDER: [u8; 3] = [0x01, 0x81, 0x0A];

/// Octets of memory that a card says it has in all.
const TOTAL_MEMORY: u32 = 0x0001_1000;
const ACTIVATED: u8 = 0x05;
const CLOCK_STOP_ANY_AND_ALL_CLASSES: u8 = 0x71;

/// Tags of the file control parameters, TS 102 221 §11.1.1.4.
mod tag {
    pub(super) const FCP: u32 = 0x62;
    pub(super) const FILE_SIZE: u32 = 0x80;
    pub(super) const DESCRIPTOR: u32 = 0x82;
    pub(super) const FILE_ID: u32 = 0x83;
    pub(super) const DF_NAME: u32 = 0x84;
    pub(super) const SFI: u32 = 0x88;
    pub(super) const LIFE_CYCLE: u32 = 0x8A;
    pub(super) const SECURITY_REFERENCED: u32 = 0x8B;
    pub(super) const PROPRIETARY: u32 = 0xA5;
    pub(super) const UICC_CHARACTERISTICS: u32 = 0x80;
    pub(super) const TOTAL_MEMORY: u32 = 0x83;
    pub(super) const PIN_STATUS: u32 = 0xC6;
    pub(super) const PIN_ENABLED: u32 = 0x90;
    pub(super) const KEY_REFERENCE: u32 = 0x83;
    pub(super) const ACCESS_MODE: u32 = 0x80;
    pub(super) const ALWAYS: u32 = 0x90;
    pub(super) const NEVER: u32 = 0x97;
    pub(super) const USER_AUTHENTICATION: u32 = 0xA4;
    pub(super) const USAGE: u32 = 0x95;
}

/// Access mode octets, TS 102 221 §9.2.1 (ISO/IEC 7816-4).
mod mode {
    pub(super) const READ: u8 = 0x01;
    pub(super) const UPDATE: u8 = 0x02;
    pub(super) const DEACTIVATE_ACTIVATE: u8 = 0x18;
    pub(super) const ALL_OF_A_DIRECTORY: u8 = 0x7F;
}

fn access_mode(rule: &mut Writer, mode: u8, condition: Condition) {
    const VERIFICATION_BY_USER: u8 = 0x08;
    let mut pin = |reference: u8| {
        rule.ber(tag::ACCESS_MODE, &[mode])
            .constructed(tag::USER_AUTHENTICATION, |inner| {
                inner.ber(tag::KEY_REFERENCE, &[reference]);
                inner.ber(tag::USAGE, &[VERIFICATION_BY_USER]);
            });
    };
    match condition {
        Condition::Pin1 => pin(0x01),
        Condition::Pin2 => pin(0x81),
        Condition::Adm1 => pin(0x0A),
        Condition::Always => {
            rule.ber(tag::ACCESS_MODE, &[mode]).ber(tag::ALWAYS, &[]);
        }
        Condition::Never => {
            rule.ber(tag::ACCESS_MODE, &[mode]).ber(tag::NEVER, &[]);
        }
    }
}

fn descriptor(body: &Body) -> Vec<u8> {
    const CODING: u8 = 0x21;
    match body {
        Body::Directory { .. } => vec![0x78, CODING],
        Body::Transparent(_) => vec![0x41, CODING],
        Body::Records {
            record_len,
            cyclic,
            content,
        } => {
            let structure = if *cyclic { 0x46 } else { 0x42 };
            let [high, low] = (*record_len as u16).to_be_bytes();
            let count = content.len() / (*record_len).max(1);
            vec![structure, CODING, high, low, count as u8]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::Content;
    use super::super::file::tests::small;
    use super::*;

    #[test]
    fn control_parameters_of_each_kind() {
        let (fs, adf) = small();
        let iccid = fs.child(FileIndex::MF, fid::ICCID).unwrap();
        // EF.ARR's own rule is the first one in use, hence record 2; that of EF.ICCID is record 3.
        assert_eq!(
            hex::encode(fs.fcp(iccid, 0)),
            "621782024121830 22fe28a01058b032f06038002000a880110".replace(' ', "")
        );
        let sms = fs.child(adf, fid::SMS).unwrap();
        assert_eq!(
            hex::encode(fs.fcp(sms, 0)),
            "621982054221 00b00283026f3c8a01058b032f0604800201608800".replace(' ', "")
        );
        assert_eq!(
            hex::encode(fs.fcp(adf, 0xC0)),
            "622c8202782183027ff08407a0000000871002a5038001718a01058b032f0601c60c9001c083010183018183010a"
        );
    }

    #[test]
    fn rules_say_what_is_checked() {
        let (fs, _) = small();
        let arr = fs.child(FileIndex::MF, fid::ARR).unwrap();
        let Body::Records {
            content: Content::Fixed(records),
            ..
        } = &fs.file(arr).body
        else {
            panic!("EF.ARR has records");
        };
        let records: Vec<String> = records
            .chunks(RULE_LEN)
            .map(|record| hex::encode(record).trim_end_matches("ff").to_owned())
            .collect();
        assert_eq!(
            records,
            [
                "80017f9700",
                "8001019000800102970080011897 00".replace(' ', "").as_str(),
                "8001019000800102a40683010a9501088001189700",
                "800101a406830101950108800102a4068301019501088001189700",
            ]
        );
    }
}
