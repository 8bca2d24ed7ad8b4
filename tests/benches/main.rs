//! Benches: `cargo bench`. Every figure stands beside a bare limit measured in the same run; medians of several rounds.
//! How to read them, and what was seen, is in tests/benches/README.md.

mod flow;
mod packets;
mod timing;

fn main() {
    // `cargo bench -- NAME` runs the groups whose names contain NAME; cargo itself passes `--bench`.
    let wanted: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let runs = |group: &str| wanted.is_empty() || wanted.iter().any(|name| group.contains(name.as_str()));
    for (group, run) in [
        ("packets", packets::run as fn()),
        ("flow-in-process", flow::in_process),
        ("flow-sockets", flow::sockets),
        ("ready", flow::ready),
    ] {
        if runs(group) {
            println!("\n{group}");
            run();
        }
    }
}
