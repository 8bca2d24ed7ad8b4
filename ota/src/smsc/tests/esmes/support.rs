//! What an ESME asks and is told.

use super::*;

/// The user data of deliver_sm, one octet each.
pub(super) fn numbers(outputs: &[Output]) -> Vec<u8> {
    let messages = to_esme(outputs).into_iter();
    messages
        .map(|(_, _, message)| message.short_message[0])
        .collect()
}

pub(super) fn ids(outputs: &[Output]) -> Vec<String> {
    let messages = to_esme(outputs).into_iter();
    messages.map(|(_, id, _)| id.to_owned()).collect()
}

pub(super) fn operate(world: &mut World, system_id: &str, operation: Operation) -> Answer {
    let outputs = world.step(Input::Operate {
        esme: link_of(system_id, 1),
        sequence: 9,
        operation,
    });
    match outputs.into_iter().find_map(|output| match output {
        Output::Answer {
            sequence: 9,
            answer,
            ..
        } => Some(answer),
        _ => None,
    }) {
        Some(answer) => answer,
        None => panic!("no answer"),
    }
}
