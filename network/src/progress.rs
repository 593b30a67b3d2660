//! Live progress on standard error: spinners on a terminal, plain lines elsewhere.

use std::fmt;
use std::time::{Duration, Instant};

use console::style;
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

/// Reports the steps of a longer command; several may run at a time.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    /// Draws the spinners, on a terminal.
    live: Option<MultiProgress>,
    quiet: bool,
}

impl Progress {
    /// Spinners if standard error is a terminal.
    pub(crate) fn new(quiet: bool) -> Self {
        let attended = console::user_attended_stderr() && !quiet;
        Self { live: attended.then(MultiProgress::new), quiet }
    }

    /// Starts a step.
    pub(crate) fn step(&self, title: impl Into<String>) -> Step {
        let title = title.into();
        let bar = self.live.as_ref().map(|live| {
            let bar = live.add(ProgressBar::new_spinner());
            let form = "  {spinner:.cyan} {prefix}  {msg:.dim} {elapsed:.dim}";
            let form = ProgressStyle::with_template(form);
            bar.set_style(form.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_prefix(title.clone());
            bar.enable_steady_tick(Duration::from_millis(90));
            bar
        });
        if bar.is_none() && !self.quiet {
            line(&format!("  … {title}"));
        }
        let (live, quiet) = (self.live.clone(), self.quiet);
        Step { title, bar, live, quiet, started: Instant::now(), finished: false }
    }
}

impl Progress {
    /// A bar over blocks, on a terminal only; without an end if nobody knows how many there are.
    pub(crate) fn blocks(&self, title: impl Into<String>, total: Option<u64>) -> Bar {
        let Some(live) = &self.live else { return Bar(None) };
        let bar = live.add(total.map_or_else(ProgressBar::no_length, ProgressBar::new));
        let form = match total {
            Some(_) => {
                "  {spinner:.cyan} {prefix}  {bar:30.cyan/dim} {human_pos} of {human_len} blocks, \
                 {rate}, {eta} left"
            }
            None => "  {spinner:.cyan} {prefix}  {human_pos} blocks, {rate}, {elapsed:.dim}",
        };
        let form = ProgressStyle::with_template(form);
        let form = form.unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(form.with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = write!(out, "{:.0} blocks/s", state.per_sec());
        }));
        bar.set_prefix(title.into());
        bar.enable_steady_tick(Duration::from_millis(90));
        Bar(Some(bar))
    }
}

/// A bar; dropped, it disappears.
#[derive(Debug)]
pub(crate) struct Bar(Option<ProgressBar>);

impl Bar {
    /// How much is done.
    pub(crate) fn set(&self, done: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(done);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// A running step; dropped before [`Step::done`], it counts as failed.
#[derive(Debug)]
pub(crate) struct Step {
    title: String,
    bar: Option<ProgressBar>,
    live: Option<MultiProgress>,
    quiet: bool,
    started: Instant,
    finished: bool,
}

impl Step {
    /// What is being worked on; shown on terminals only.
    pub(crate) fn detail(&self, text: impl Into<String>) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.into());
        }
    }

    /// How far the step is; shown on terminals only.
    pub(crate) fn measure(&self, done: u64, total: u64) {
        let Some(bar) = &self.bar else { return };
        if bar.length() != Some(total) {
            let form =
                "  {spinner:.cyan} {prefix}  {bar:24.cyan/dim} {pos} of {len} {elapsed:.dim}";
            let form = ProgressStyle::with_template(form);
            bar.set_style(form.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_length(total);
            bar.set_message("");
        }
        bar.set_position(done);
    }

    /// Ends the step well.
    pub(crate) fn done(mut self, note: impl AsRef<str>) {
        let note = note.as_ref();
        let note = if note.is_empty() { String::new() } else { format!("  {note}") };
        self.end(&style("✔").green().for_stderr().to_string(), &note);
    }

    fn end(&mut self, mark: &str, note: &str) {
        self.finished = true;
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if !self.quiet {
            let took = style(format!("({})", seconds(self.started.elapsed()))).dim().for_stderr();
            let text = format!("  {mark} {}{note} {took}", self.title);
            match &self.live {
                Some(live) => {
                    let _ = live.println(text);
                }
                None => line(&text),
            }
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.finished {
            self.end(&style("✘").red().for_stderr().to_string(), "");
        }
    }
}

/// `0.3 s`, `75 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 10.0 { format!("{seconds:.1} s") } else { format!("{seconds:.0} s") }
}

/// A line for the person watching.
pub(crate) fn line(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}
