//! Faults: SOAP 1.2 Part 1 §5.4 with the subcodes of TS 102 204 §10.6 and annex B.

use super::{Shape, Version, open_envelope};
use crate::{
    code::Code,
    dialect::{Dialect, FICOM, Rules},
    xml::Writer,
};

/// A fault, ready to be written in either version of SOAP.
///
/// It is always complete (Code, Subcode, Reason, Detail): clients are known to lose the number when Detail is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The number, which becomes Subcode `mss:_NNN`.
    pub code: Code,
    /// What SOAP itself says about it.
    pub cause: Cause,
    /// For people: what was wrong, and if possible what would be right.
    pub detail: String,
    /// FiCom's number below the first, for the dialects that have one; 0 if there is none.
    pub second: u16,
}

/// What stands in env:Code beside the number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// env:Sender or env:Receiver, by the number.
    Application,
    /// env:MustUnderstand, with namespace and local name of the header blocks.
    MustUnderstand(Vec<(String, String)>),
    /// env:VersionMismatch.
    VersionMismatch,
}

impl Fault {
    /// A fault of TS 102 204.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            cause: Cause::Application,
            detail: detail.into(),
            second: 0,
        }
    }

    /// With FiCom's number below the first.
    #[must_use]
    pub fn second(mut self, number: u16) -> Self {
        self.second = number;
        self
    }

    /// The whole envelope, in the words of a dialect. Of the request's shape, version and RoamingHeader matter: a fault
    /// goes back the way its request came.
    pub fn to_xml(&self, shape: &Shape, dialect: Dialect) -> String {
        let mut w = Writer::new();
        match shape.version {
            Version::V1_1 => self.write_1_1(&mut w, shape, dialect.rules()),
            Version::V1_2 | Version::Json => self.write_1_2(&mut w, shape, dialect.rules()),
        }
        shape.version.finish(w.finish())
    }

    fn write_1_2(&self, w: &mut Writer, shape: &Shape, rules: &Rules) {
        let version = Version::V1_2;
        w.open("env:Envelope")
            .attribute("xmlns:env", version.namespace())
            .attribute("xmlns:mss", super::MSS);
        self.write_header(w, shape.roaming.as_deref());
        w.open("env:Body").open("env:Fault").open("env:Code");
        let value = match &self.cause {
            Cause::Application if self.code.is_senders() => "env:Sender",
            Cause::Application => "env:Receiver",
            Cause::MustUnderstand(_) => "env:MustUnderstand",
            Cause::VersionMismatch => "env:VersionMismatch",
        };
        w.leaf("env:Value", value).open("env:Subcode");
        let (ns, prefix) = rules.code_namespace;
        w.open("env:Value");
        if prefix != "mss" {
            w.attribute(&format!("xmlns:{prefix}"), ns);
        }
        w.text(&format!("{prefix}:_{}", self.code.0)).close();
        if rules.second_level && self.second != 0 {
            w.open("env:Subcode")
                .open("env:Value")
                .attribute("xmlns:fi", FICOM)
                .text(&format!("fi:_{}", self.second))
                .close()
                .close();
        }
        w.close().close();
        w.open("env:Reason")
            .open("env:Text")
            .attribute("xml:lang", "en")
            .text(self.code.name())
            .close()
            .close();
        w.open("env:Detail");
        self.write_detail(w, rules);
    }

    /// The way back; and, SOAP 1.2 Part 1 §5.4.7 and §5.4.8, the versions we speak, the blocks we do not.
    fn write_header(&self, w: &mut Writer, roaming: Option<&str>) {
        if roaming.is_none() && self.cause == Cause::Application {
            return;
        }
        w.open("env:Header");
        if let Some(block) = roaming {
            w.embed(block);
        }
        match &self.cause {
            Cause::Application => {}
            Cause::MustUnderstand(blocks) => {
                for (ns, local) in blocks {
                    w.open("env:NotUnderstood");
                    if ns.is_empty() {
                        w.attribute("qname", local);
                    } else {
                        w.attribute("xmlns:h", ns)
                            .attribute("qname", &format!("h:{local}"));
                    }
                    w.close();
                }
            }
            Cause::VersionMismatch => {
                w.open("env:Upgrade");
                for version in [Version::V1_2, Version::V1_1] {
                    w.open("env:SupportedEnvelope")
                        .attribute("xmlns:e", version.namespace())
                        .attribute("qname", "e:Envelope")
                        .close();
                }
                w.close();
            }
        }
        w.close();
    }

    /// SOAP 1.1 §4.4 knows no subcode, so the number is the faultcode unless SOAP itself claims that place; and no detail
    /// for what is wrong with header blocks.
    fn write_1_1(&self, w: &mut Writer, shape: &Shape, rules: &Rules) {
        open_envelope(w, Version::V1_1, shape.roaming.as_deref());
        w.open("env:Fault");
        let number = format!("mss:_{}", self.code.0);
        let code = match &self.cause {
            Cause::Application => number.as_str(),
            Cause::VersionMismatch => "env:VersionMismatch",
            Cause::MustUnderstand(_) => {
                w.leaf("faultcode", "env:MustUnderstand")
                    .leaf("faultstring", &self.detail);
                return;
            }
        };
        w.leaf("faultcode", code)
            .leaf("faultstring", self.code.name())
            .open("detail");
        self.write_detail(w, rules);
    }

    fn write_detail(&self, w: &mut Writer, rules: &Rules) {
        w.open("d:detail")
            .attribute("xmlns:d", rules.detail_namespace)
            .text(&self.detail)
            .close();
    }
}
