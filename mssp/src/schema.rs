//! The schema of TS 102 204 annex A as a table, and what a request has that is not in it.
//!
//! Reading a message ([`crate::messages`]) is lenient; this says what an exact validator would refuse. The two additions
//! of deployed services (MobileUser in MSS_StatusReq, Params in MSS_ProfileReq) are deviations here.

mod declarations;

use base64::{Engine, engine::general_purpose::STANDARD};

use self::declarations::{
    Attribute, Complex, Content, HEAD, Kind, Particle, Simple, VERSION, own_part,
};
use crate::{
    messages::DateTime,
    operation::Operation,
    soap::MSS,
    xml::{self, Element, is_nc_name},
};

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Deviations of one message that are listed.
const MOST: usize = 20;

/// What deviates in a request, one sentence each; the first ones, if there are many.
pub(crate) fn deviations(operation: Operation, message: &Element) -> Vec<String> {
    let mut found = Found(Vec::new());
    found.message(operation, message);
    found.0.truncate(MOST);
    found.0
}

struct Found(Vec<String>);

impl Found {
    fn say(&mut self, what: String) {
        // One more than are listed, so that a hostile message costs little.
        if self.0.len() <= MOST {
            self.0.push(what);
        }
    }

    fn message(&mut self, operation: Operation, message: &Element) {
        let (attributes, particles) = own_part(operation);
        let all: Vec<_> = VERSION.iter().chain(attributes).collect();
        self.attributes(message, &all, &[&format!("{}Type", operation.request())]);
        let all: Vec<_> = HEAD.iter().chain(particles).collect();
        self.sequence(message, &all);
    }

    fn complex(&mut self, element: &Element, kind: &Complex) {
        let attributes: Vec<_> = kind.attributes.iter().collect();
        self.attributes(element, &attributes, kind.name.as_slice());
        match &kind.content {
            Content::Sequence(particles) => {
                let particles: Vec<_> = particles.iter().collect();
                self.sequence(element, &particles);
            }
            Content::Text(simple) => self.text(element, *simple),
        }
    }

    /// `types` are the names that xsi:type may have.
    fn attributes(&mut self, element: &Element, known: &[&Attribute], types: &[&str]) {
        for attribute in &element.attributes {
            match (
                attribute.ns.as_deref(),
                known.iter().find(|one| one.name == attribute.local),
            ) {
                (None, Some(one)) => {
                    self.value(
                        &format!("{}/@{}", element.local, one.name),
                        one.kind,
                        &attribute.value,
                    );
                }
                (Some(XSI), _) => self.instance(element, attribute, types),
                _ => self.say(format!(
                    "{} has attribute {}, which the schema does not know there",
                    element.local, attribute.local
                )),
            }
        }
        for one in known.iter().filter(|one| one.required) {
            if element.attribute(None, one.name).is_none() {
                self.say(format!("{} lacks attribute {}", element.local, one.name));
            }
        }
    }

    /// What XML Schema lets stand at every element (part 1 §2.6); no element of ours may be nil. Of the type, its name is
    /// looked at and not the prefix.
    fn instance(&mut self, element: &Element, attribute: &xml::Attribute, types: &[&str]) {
        match &*attribute.local {
            "schemaLocation" | "noNamespaceSchemaLocation" => {}
            "type" => {
                let given = attribute.value.trim_matches(xml::is_white);
                let name = given.split_once(':').map_or(given, |(_, local)| local);
                if !types.contains(&name) {
                    self.say(format!("{} has another type in xsi:type", element.local));
                }
            }
            other => self.say(format!(
                "{} has attribute xsi:{other}, which the schema does not allow there",
                element.local
            )),
        }
    }

    fn sequence(&mut self, element: &Element, particles: &[&Particle]) {
        if !element.has_only_elements() {
            self.say(format!("{} holds text", element.local));
        }
        let (mut at, mut count) = (0, 0);
        for child in element.elements() {
            let fits = |particle: &Particle| match particle.name {
                Some(name) => child.is(Some(MSS), name),
                None => child.ns.as_deref().is_some_and(|ns| ns != MSS),
            };
            let Some(ahead) = particles[at..].iter().position(|particle| fits(particle)) else {
                self.say(self.misplaced(element, child, particles));
                continue;
            };
            if ahead > 0 {
                self.too_few(element, &particles[at..at + ahead], count);
                (at, count) = (at + ahead, 0);
            }
            count += 1;
            if count > particles[at].most {
                self.say(format!(
                    "{} stands {count} times in {}",
                    child.local, element.local
                ));
            }
            match particles[at].kind {
                Kind::Open => {}
                Kind::Simple(simple) => {
                    self.attributes(child, &[], simple.types());
                    self.text(child, simple);
                }
                Kind::Complex(complex) => self.complex(child, complex),
            }
        }
        self.too_few(element, &particles[at..], count);
    }

    fn misplaced(&self, parent: &Element, child: &Element, particles: &[&Particle]) -> String {
        let known = particles.iter().any(|one| one.name == Some(&child.local));
        match child.ns.as_deref() {
            None if known => format!("{} stands in no namespace, expected {MSS}", child.local),
            Some(MSS) if known => {
                format!("{} stands too late in {}", child.local, parent.local)
            }
            _ => format!("{} does not belong into {}", child.local, parent.local),
        }
    }

    /// `seen` counts for the first of these particles.
    fn too_few(&mut self, parent: &Element, passed: &[&Particle], seen: usize) {
        for (n, particle) in passed.iter().enumerate() {
            if particle.least > if n == 0 { seen } else { 0 } {
                let name = particle.name.unwrap_or("an element of another schema");
                self.say(format!("{} lacks {name}", parent.local));
            }
        }
    }

    fn text(&mut self, element: &Element, kind: Simple) {
        if element.elements().next().is_some() {
            self.say(format!("{} holds elements, expected text", element.local));
        }
        self.value(&element.local, kind, &element.text());
    }

    fn value(&mut self, name: &str, kind: Simple, value: &str) {
        let trimmed = value.trim_matches(xml::is_white);
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (good, what) = match kind {
            Simple::String => (true, ""),
            Simple::AnyUri => (
                !trimmed.contains([' ', '<', '>', '"', '{', '}', '|', '\\', '^', '`']),
                "a URI",
            ),
            Simple::Base64 => {
                let text: String = trimmed.split_ascii_whitespace().collect();
                (STANDARD.decode(text).is_ok(), "base64")
            }
            Simple::Boolean => (
                matches!(trimmed, "true" | "false" | "1" | "0"),
                "true or false",
            ),
            Simple::DateTime => (
                DateTime::parse(name, trimmed).is_ok(),
                "a date and time with a zone",
            ),
            Simple::Integer => (
                digits(trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed)),
                "a whole number",
            ),
            Simple::NcName => (is_nc_name(trimmed), "an NCName"),
            Simple::OneOf(values) => (values.contains(&trimmed), "a value of its list"),
            Simple::PositiveInteger => {
                let text = trimmed.strip_prefix('+').unwrap_or(trimmed);
                (
                    digits(text) && text.bytes().any(|b| b != b'0'),
                    "a number above 0",
                )
            }
        };
        if !good {
            // Passwords and URLs of APs may be secret: the value is not repeated.
            self.say(format!("{name} is not {what}"));
        }
    }
}

#[cfg(test)]
mod tests;
