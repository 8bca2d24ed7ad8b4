//! The documentation, embedded: the pages stand in the folder `docs` of the crate they speak of.

/// One page.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    /// What `midsim docs` calls it.
    pub name: &'static str,
    /// Its file, from the root of the repository.
    pub source: &'static str,
    /// Markdown.
    pub text: &'static str,
}

macro_rules! topics {
    ($($name:literal: $source:literal,)*) => {
        &[$(Topic {
            name: $name,
            source: $source,
            text: include_str!(concat!("../", $source)),
        }),*]
    };
}

/// Every page: how to use midsim, then from the RP's end of the flow to the SIM's.
pub const TOPICS: &[Topic] = topics! {
    "quickstart": "src/docs/quickstart.md",
    "world": "src/docs/world.md",
    "tls": "src/docs/tls.md",
    "apart": "src/docs/apart.md",
    "encode": "src/docs/encode.md",
    "op": "op-bridge/docs/op.md",
    "clients": "op-bridge/docs/clients.md",
    "discovery": "op-bridge/docs/discovery.md",
    "conformance": "op-bridge/docs/conformance.md",
    "mssp": "mssp/docs/mssp.md",
    "signatures": "mssp/docs/signatures.md",
    "dialects": "mssp/docs/dialects.md",
    "faults": "mssp/docs/faults.md",
    "platform": "ota/docs/platform.md",
    "smsc": "ota/docs/smsc.md",
    "packets": "ota/wire/docs/packets.md",
    "remote-management": "ota/wire/docs/remote-management.md",
    "sms": "ota/wire/docs/sms.md",
    "keys": "ota/wire/docs/keys.md",
    "handset": "sim-applet-sim/docs/handset.md",
    "card": "sim-applet-sim/docs/card.md",
    "reader": "src/docs/reader.md",
    "applet": "sim-applet-sim/docs/applet.md",
    "applet-protocol": "ota/wire/docs/applet.md",
    "apdu": "ota/wire/docs/apdu.md",
    "cat": "ota/wire/docs/cat.md",
};

/// The page of this name.
pub fn find(name: &str) -> Option<Topic> {
    TOPICS.iter().find(|topic| topic.name == name).copied()
}

impl Topic {
    /// Its first heading.
    pub fn title(&self) -> &'static str {
        self.text
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches(['#', ' '])
    }

    /// The page that a link on this page leads to, if it is one of ours.
    pub fn linked(&self, link: &str) -> Option<Self> {
        let mut path: Vec<_> = self.source.split('/').collect();
        path.pop();
        for part in link.split('#').next().unwrap_or_default().split('/') {
            match part {
                ".." => drop(path.pop()),
                "." => {}
                name => path.push(name),
            }
        }
        let path = path.join("/");
        TOPICS.iter().find(|topic| topic.source == path).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn pages_under(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in folder.read_dir().unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() && name != "target" && name != ".git" {
                pages_under(&path, found);
            } else if folder.ends_with("docs") && path.extension().is_some_and(|e| e == "md") {
                found.push(path);
            }
        }
    }

    #[test]
    fn every_page_in_a_folder_docs_is_a_topic() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        pages_under(root, &mut found);
        assert!(found.len() > 10);
        for page in found {
            let source = page.strip_prefix(root).unwrap().to_str().unwrap();
            assert!(
                TOPICS.iter().any(|topic| topic.source == source),
                "{source} is in no topic"
            );
        }
    }

    #[test]
    fn names_are_unique_and_every_page_begins_with_its_title() {
        for (index, topic) in TOPICS.iter().enumerate() {
            assert!(TOPICS[..index].iter().all(|t| t.name != topic.name));
            assert!(topic.text.starts_with("# "), "{}", topic.source);
            assert!(!topic.title().is_empty());
        }
    }

    #[test]
    fn a_link_between_pages_is_followed_from_where_the_page_stands() {
        let platform = find("platform").unwrap();
        let linked = platform.linked("../wire/docs/applet.md#results").unwrap();
        assert_eq!(linked.name, "applet-protocol");
        assert!(platform.linked("https://example.com/").is_none());
    }

    #[test]
    fn links_from_page_to_page_lead_somewhere() {
        for topic in TOPICS {
            for link in topic.text.split("](").skip(1) {
                let link = link.split(')').next().unwrap();
                let page = link.split('#').next().unwrap();
                if page.ends_with(".md") && !page.contains("://") {
                    assert!(
                        topic.linked(link).is_some(),
                        "{} links to {link}",
                        topic.source
                    );
                }
            }
        }
    }
}
