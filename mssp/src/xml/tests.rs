use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn refusal(document: &str) -> XmlError {
    parse(document.as_bytes()).expect_err(document)
}

#[test]
fn a_document_becomes_a_tree_of_names_namespaces_and_text() {
    let root = parse(
        b"\xEF\xBB\xBF<?xml version='1.0' encoding='utf-8'?>\r\n<!-- c -->\
          <a xmlns='urn:1' xmlns:p=\"urn:2\" x='1' p:x='2\t&#10;&lt;'>t&amp;u<![CDATA[<&]]>\r\n<p:b/>&#x41;<c xmlns=''/></a>\n",
    )
    .unwrap();
    assert!(root.is(Some("urn:1"), "a"));
    assert_eq!(root.attribute(None, "x"), Some("1"));
    assert_eq!(root.attribute(Some("urn:2"), "x"), Some("2 \n<"));
    assert_eq!(root.attribute(Some("urn:1"), "x"), None);
    assert_eq!(root.text(), "t&u<&\nA");
    let below: Vec<_> = root
        .elements()
        .map(|e| (e.ns.as_deref(), &*e.local, &*e.prefix))
        .collect();
    assert_eq!(below, [(Some("urn:2"), "b", "p"), (None, "c", "")]);
    assert!(!root.has_only_elements());
    let declared = |element: &Element| -> Vec<_> {
        let declared = element.declared.iter();
        declared.map(|d| format!("{}={}", d.prefix, d.ns)).collect()
    };
    assert_eq!(declared(&root), ["=urn:1", "p=urn:2"]);
    let below: Vec<_> = root.elements().map(declared).collect();
    assert_eq!(below, [vec![], vec!["=".to_owned()]]);
}

#[test]
fn document_types_and_processing_instructions_are_refused() {
    assert_eq!(
        refusal("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"),
        XmlError::Doctype
    );
    assert_eq!(
        refusal("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>"),
        XmlError::Doctype
    );
    assert_eq!(
        refusal("<a><?php echo?></a>"),
        XmlError::ProcessingInstruction("php".into())
    );
    assert!(matches!(
        refusal("<a><?xml version='1.0'?></a>"),
        XmlError::Malformed { .. }
    ));
    assert!(matches!(
        refusal(" <?xml version='1.0'?><a/>"),
        XmlError::Malformed { .. }
    ));
}

#[test]
fn only_the_five_entities_and_characters_are_resolved() {
    let root = parse(b"<a b='&quot;&apos;'>&lt;&gt;&amp;&#65;&#x1F600;</a>").unwrap();
    assert_eq!(root.attribute(None, "b"), Some("\"'"));
    assert_eq!(root.text(), "<>&A\u{1F600}");
    for reference in [
        "nbsp",
        "#0",
        "#x1F",
        "#xD800",
        "#x110000",
        "#",
        "#x",
        "#-1",
        "#+65",
        "#99999999999",
    ] {
        assert_eq!(
            refusal(&format!("<a>&{reference};</a>")),
            XmlError::Entity(reference.into())
        );
        assert_eq!(
            refusal(&format!("<a b='&{reference};'/>")),
            XmlError::Entity(reference.into())
        );
    }
}

#[test]
fn only_utf_8_and_xml_1_0_are_read() {
    assert_eq!(parse(b"<a>\xFF</a>"), Err(XmlError::NotUtf8(3)));
    let utf16: Vec<u8> = "<a/>".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(parse(&utf16), Err(XmlError::IllegalCharacter(0)));
    assert_eq!(
        refusal("<?xml version='1.0' encoding='ISO-8859-1'?><a/>"),
        XmlError::Encoding("ISO-8859-1".into())
    );
    assert_eq!(
        refusal("<?xml version='1.1'?><a/>"),
        XmlError::Version("1.1".into())
    );
    assert_eq!(refusal("<a>\u{1}</a>"), XmlError::IllegalCharacter(1));
    assert_eq!(
        refusal("<a>\u{FFFE}</a>"),
        XmlError::IllegalCharacter(0xFFFE)
    );
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for document in [
        "<a>",
        "<a></b>",
        "</a>",
        "<a/><b/>",
        "x<a/>",
        "<a/>x",
        "<a/>&amp;",
        "<![CDATA[x]]><a/>",
        "<a b=c/>",
        "<a b/>",
        "<a b='<'/>",
        "<a b='&amp'/>",
        "<a>]]></a>",
        "<a><!-- -- --></a>",
        "<1a/>",
        "<a 1b=''/>",
        "<:a/>",
        "<a:/>",
        "<a:b:c xmlns:a='urn:1'/>",
        "<a xmlns:xmlns='urn:1'/>",
        "<a xmlns:xml='urn:1'/>",
        "<a xmlns:p=''/>",
        "<a xmlns:p='urn:1'><b xmlns:p=''/></a>",
        "<a",
        "<",
        "<a><b",
        "<a b='1' b='2'/>",
    ] {
        assert!(
            matches!(refusal(document), XmlError::Malformed { .. }),
            "{document}: {}",
            refusal(document)
        );
    }
    assert_eq!(refusal(""), XmlError::Empty);
    assert_eq!(refusal(" <!-- nothing --> "), XmlError::Empty);
    assert_eq!(refusal("<p:a/>"), XmlError::UnknownPrefix("p".into()));
    assert_eq!(refusal("<a p:b=''/>"), XmlError::UnknownPrefix("p".into()));
    assert_eq!(
        refusal("<a xmlns:p='urn:1' xmlns:q='urn:1' p:b='' q:b=''/>"),
        XmlError::DuplicateAttribute("b".into())
    );
}

fn nested(levels: usize, start: &str) -> String {
    let mut document = String::new();
    for n in 0..levels {
        let _ = write!(document, "<a{}>", start.replace('#', &n.to_string()));
    }
    document + &"</a>".repeat(levels)
}

fn wide(attributes: usize, pattern: &str) -> String {
    let mut document = String::from("<a");
    for n in 0..attributes {
        let _ = write!(document, " {}", pattern.replace('#', &n.to_string()));
    }
    document + "/>"
}

#[test]
fn bounds_hold_and_what_is_within_them_is_read() {
    assert!(parse(nested(MAX_DEPTH, "").as_bytes()).is_ok());
    assert_eq!(refusal(&nested(MAX_DEPTH + 1, "")), XmlError::TooDeep);
    assert_eq!(refusal(&"<a>".repeat(100_000)), XmlError::TooDeep);

    assert!(parse(wide(MAX_ATTRIBUTES, "b#=''").as_bytes()).is_ok());
    assert_eq!(
        refusal(&wide(MAX_ATTRIBUTES + 1, "b#=''")),
        XmlError::TooManyAttributes
    );
    assert_eq!(refusal(&wide(90_000, "b#=''")), XmlError::TooManyAttributes);

    assert_eq!(
        refusal(&wide(MAX_BINDINGS + 1, "xmlns:b#='urn:1'")),
        XmlError::TooManyBindings
    );
    let three = " xmlns:b#='urn:1' xmlns:c#='urn:1' xmlns:d#='urn:1'";
    assert!(parse(nested(MAX_BINDINGS / 3, three).as_bytes()).is_ok());
    assert_eq!(
        refusal(&nested(MAX_BINDINGS / 3 + 1, three)),
        XmlError::TooManyBindings
    );

    let flat = |n: usize| format!("<r>{}</r>", "<a/>".repeat(n));
    assert!(parse(flat(MAX_NODES - 1).as_bytes()).is_ok());
    assert_eq!(refusal(&flat(MAX_NODES)), XmlError::TooManyNodes);
    let comments = format!("<r>{}</r>", "<!---->".repeat(MAX_NODES));
    assert_eq!(refusal(&comments), XmlError::TooManyNodes);

    let long = format!("<{}/>", "a".repeat(MAX_NAME + 1));
    assert_eq!(refusal(&long), XmlError::LongName(MAX_NAME + 1));
    let long = format!("<a xmlns='{}'/>", "u".repeat(MAX_NAME + 1));
    assert_eq!(refusal(&long), XmlError::LongName(MAX_NAME + 1));

    let padding = "x".repeat(MAX_OCTETS - "<a></a>".len());
    assert!(parse(format!("<a>{padding}</a>").as_bytes()).is_ok());
    assert_eq!(
        refusal(&format!("<a>{padding}x</a>")),
        XmlError::TooLarge(MAX_OCTETS + 1)
    );
}

#[test]
fn a_megabyte_of_references_is_one_text() {
    let n = MAX_OCTETS / 5 - 10;
    let document = format!("<a>{}</a>", "&amp;".repeat(n));
    let root = parse(document.as_bytes()).unwrap();
    assert_eq!(root.children.len(), 1);
    assert_eq!(root.text().len(), n);
}

/// Trees as the reader makes them, without prefixes: runs of text never touch.
fn tree() -> impl Strategy<Value = Element<'static>> {
    let name = "[A-Za-z_][A-Za-z0-9_.-]{0,8}";
    let value = "\\PC{0,12}|[&<>\"'\t\r\n]{0,4}";
    let attributes = proptest::collection::btree_map(name, value, 0..4);
    let leaf = (
        name,
        attributes.clone(),
        "\\PC{0,20}|[&<>\"'\t\r\n\\]]{1,6}",
    )
        .prop_map(|(local, attributes, text)| {
            element(local, attributes, vec![Node::Text(text.into())])
        });
    leaf.prop_recursive(5, 60, 4, move |inner| {
        (
            name,
            attributes.clone(),
            proptest::collection::vec((inner, "\\PC{0,6}"), 0..4),
        )
            .prop_map(|(local, attributes, below)| {
                let children = below
                    .into_iter()
                    .flat_map(|(e, text)| [Node::Element(e), Node::Text(text.into())])
                    .collect();
                element(local, attributes, children)
            })
    })
}

fn element(
    local: String,
    attributes: std::collections::BTreeMap<String, String>,
    mut children: Vec<Node<'static>>,
) -> Element<'static> {
    children.retain(|node| *node != Node::Text("".into()));
    Element {
        ns: None,
        local: local.into(),
        prefix: "".into(),
        attributes: attributes
            .into_iter()
            .filter(|(local, _)| !local.starts_with("xmlns"))
            .map(|(local, value)| Attribute {
                ns: None,
                local: local.into(),
                value: value.into(),
            })
            .collect(),
        declared: Vec::new(),
        children,
    }
}

fn write(w: &mut Writer, element: &Element) {
    w.open(&element.local);
    for attribute in &element.attributes {
        w.attribute(&attribute.local, &attribute.value);
    }
    for node in &element.children {
        match node {
            Node::Element(element) => write(w, element),
            Node::Text(text) => {
                w.text(text);
            }
        }
    }
    w.close();
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(tree in tree()) {
        let mut w = Writer::new();
        write(&mut w, &tree);
        let document = w.finish();
        prop_assert_eq!(parse(document.as_bytes()), Ok(tree), "{}", document);
    }

    #[test]
    fn no_octets_make_the_reader_panic(octets: Vec<u8>) {
        let _ = parse(&octets);
    }

    #[test]
    fn no_markup_makes_the_reader_panic(document in "[<>/?!&;='\" a:x#\\[\\]-]{0,60}") {
        let _ = parse(document.as_bytes());
    }
}
