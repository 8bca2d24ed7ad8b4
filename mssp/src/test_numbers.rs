//! The numbers that Swisscom publishes for tests of its service: `41000092` and a fault's number give that fault,
//! `41000000000` is the heartbeat. Any fault of the table can be had this way, not only the seventeen documented there; a
//! fourth digit asks for FiCom's number below it (`410000924012` is 401 with 4012). Numbers of no fault are ordinary ones.

use ota_wire::ids::Msisdn;

use crate::{
    code::{Code, is_second},
    soap::Fault,
};

const FAULTS: &str = "41000092";
const HEARTBEAT: &str = "41000000000";

/// The fault that a request about this number gets.
pub(crate) fn fault(msisdn: &Msisdn) -> Option<Fault> {
    let digits = msisdn.digits();
    if digits == HEARTBEAT {
        return Some(Fault::new(Code::WRONG_PARAM, "Illegal msisdn"));
    }
    let number = digits.strip_prefix(FAULTS)?;
    let (first, second) = match number.len() {
        3 => (number.parse().ok()?, 0),
        4 => {
            let second = number.parse().ok().filter(|second| is_second(*second))?;
            (second / 10, second)
        }
        _ => return None,
    };
    let code = Code(first);
    code.is_fault().then(|| {
        let detail = format!("{msisdn} is the test number of {}", code.name());
        Fault::new(code, detail).second(second)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_published_number_gives_its_fault() {
        let of = |number: &str| fault(&number.parse().unwrap()).map(|f| (f.code.0, f.second));
        // The table as it is published.
        for code in [
            101, 102, 103, 104, 105, 107, 108, 109, 208, 209, 401, 402, 403, 404, 406, 422, 900,
        ] {
            assert_eq!(of(&format!("+41000092{code}")), Some((code, 0)));
        }
        assert_eq!(of("410000924012"), Some((401, 4012)));
        assert_eq!(of("41000000000"), Some((101, 0)));
        // FiCom's second numbers, from the first to the last of each block.
        let blocks = [
            1011..=1017,
            1021..=1022,
            1041..=1045,
            1051..=1054,
            2081..=2082,
            2091..=2094,
            4011..=4013,
            4021..=4021,
            4031..=4032,
            4041..=4042,
            4071..=4073,
            9001..=9008,
        ];
        let given: Vec<u16> = (1000..=9999)
            .filter(|second| of(&format!("41000092{second}")).is_some())
            .collect();
        assert_eq!(given, blocks.into_iter().flatten().collect::<Vec<_>>());
        for second in given {
            assert_eq!(
                of(&format!("41000092{second}")),
                Some((second / 10, second))
            );
        }
        // What is no fault is an ordinary number.
        for ordinary in ["41000092700", "41000092502", "4100009240", "41700092501"] {
            assert_eq!(of(ordinary), None, "{ordinary}");
        }
    }
}
