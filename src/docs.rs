//! The documentation, embedded: the pages stand in the folder `docs` of the crate they speak of.

/// One page.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    /// What `midsim docs` calls it.
    pub name: &'static str,
    /// Its first heading.
    pub title: &'static str,
    /// Markdown.
    pub text: &'static str,
}

/// Every page, from the RP's end of the flow to the SIM's.
pub const TOPICS: &[Topic] = &[
    Topic {
        name: "applet",
        title: "The applet protocol, bit by bit",
        text: include_str!("../ota/wire/docs/applet.md"),
    },
    Topic {
        name: "keys",
        title: "Keys and how they are derived",
        text: include_str!("../ota/wire/docs/keys.md"),
    },
    Topic {
        name: "packets",
        title: "Secured packets (TS 102 225)",
        text: include_str!("../ota/wire/docs/packets.md"),
    },
    Topic {
        name: "sms",
        title: "Short messages (TS 23.040)",
        text: include_str!("../ota/wire/docs/sms.md"),
    },
];

/// The page of this name.
pub fn find(name: &str) -> Option<Topic> {
    TOPICS.iter().find(|topic| topic.name == name).copied()
}
