//! `gauze demo`: a consortium and two stories, in one go.

use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::network::write_sample;
use crate::cli::Globals;
use crate::context::Context;
use crate::failure::Result;
use crate::output::{bold, faint};
use crate::progress::{line, seconds};
use crate::{story, up};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gauze demo\n  gauze demo --output json\n  gauze network down --purge    when you are done"
)]
pub(crate) struct Command {
    /// Start the network, but tell no story.
    #[arg(long)]
    no_story: bool,
}

pub(crate) async fn run(command: Command, globals: &Globals) -> Result<()> {
    let begin = Instant::now();
    if !globals.file.exists() {
        write_sample(&globals.file, false)?;
    }
    let mut context = Context::load(globals)?;
    context.output.say(format!(
        "{}\n{}\n",
        bold("A consortium ledger for care and medicine"),
        faint(format!("described in {}", globals.file.display()))
    ));
    let summary = up::up(&mut context, false).await?;
    line("");
    let record = match command.no_story {
        true => json!([]),
        false => story::tell(&context).await?.record(),
    };
    let took = begin.elapsed();
    let json = json!({
        "seconds": took.as_secs_f64(), "upSeconds": summary.took.as_secs_f64(),
        "state": context.layout.root(), "story": record,
    });
    context.output.show(json, || {
        let program = program();
        let next = [
            ("network ps", "what runs where"),
            ("ledger block care newest", "look into a block"),
            ("channel show pharma", "members and policies"),
            ("chaincode list", "what is deployed"),
            ("chaincode query rx ListAlerts 10 ''", "ask the ledger yourself"),
            ("network down", "stop everything"),
        ];
        let width = next.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
        let next = next
            .iter()
            .map(|(command, why)| format!("  {program} {command:<width$}  {}", faint(why)));
        format!(
            "\nDone in {} (network up after {}). It goes on running; try:\n{}",
            bold(seconds(took)),
            seconds(summary.took),
            next.collect::<Vec<_>>().join("\n")
        )
    });
    Ok(())
}

/// How the person at the terminal calls this program.
fn program() -> &'static str {
    match node::config::environment("CARGO") {
        Some(_) => "cargo run -q --bin gauze --",
        None => "gauze",
    }
}
