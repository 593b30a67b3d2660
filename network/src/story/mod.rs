//! Two short stories on the running network. Every line printed comes from a committed
//! transaction, a query, or a refusal of the network.

mod care;
mod epcis;
mod pharma;
mod teller;
mod vault;

use std::time::Instant;

pub(crate) use teller::Teller;

use crate::context::Context;
use crate::failure::Result;
use crate::progress::seconds;

/// Tells both stories.
pub(crate) async fn tell(context: &Context) -> Result<Teller> {
    let begin = Instant::now();
    let mut teller = Teller::new(context);
    care::tell(&mut teller).await?;
    pharma::tell(&mut teller).await?;
    let (transactions, queries, refusals) = teller.counts();
    teller.blank();
    teller.say(format!(
        "{transactions} transactions, {queries} queries and {refusals} refusals in {}.",
        seconds(begin.elapsed())
    ));
    Ok(teller)
}
