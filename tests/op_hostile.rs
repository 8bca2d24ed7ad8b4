//! 10,000 mutated requests over sockets to every endpoint of the OP and of its discovery service. How long they take is
//! the bench's business (`op-hostile`).

use crate::support::envelopes::Dice;
use crate::support::requests::{GENERATORS, Target, judge, shown};

const REQUESTS: usize = 10_000;

#[tokio::test]
async fn mutated_requests_over_sockets_get_clean_answers_and_the_next_good_one_succeeds() {
    let target = Target::start().await;
    let mut dice = Dice::new(2026);
    let mut refused = 0;
    for (name, generate) in GENERATORS {
        for _ in 0..REQUESTS / GENERATORS.len() {
            let request = generate(&target, &mut dice);
            let sent = shown(&request);
            let response = target.send(request).await;
            let response = response.unwrap_or_else(|why| panic!("{name}: {why}: {sent}"));
            if let Err(why) = judge(&response) {
                panic!("{name}: {why}: {sent}");
            }
            refused += usize::from(response.status().is_client_error());
        }
        assert!(
            target.tokens().await["id_token"].is_string(),
            "after {name}"
        );
    }
    // They are bad enough, and not so bad that all of them fail at the door.
    assert!(
        (REQUESTS / 2..REQUESTS * 19 / 20).contains(&refused),
        "{refused}"
    );
    target.stop().await;
}
