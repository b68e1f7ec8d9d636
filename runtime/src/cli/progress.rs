//! How far a job is, for people: a bar on a terminal, a line every few seconds elsewhere; on standard error.

use crate::net::message::Progress;
use dask_plan::text::counted;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Between lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// See the module.
pub(super) enum Display {
    Bar(ProgressBar),
    Lines { last: Instant },
    Off,
}

impl Display {
    pub(super) fn new(quiet: bool) -> Display {
        if quiet {
            return Display::Off;
        }
        if !std::io::stderr().is_terminal() {
            return Display::Lines { last: Instant::now() };
        }
        let bar = ProgressBar::new(0);
        let style = "{bar:40} {human_pos}/{human_len} tasks, {per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Display::Bar(bar)
    }

    pub(super) fn update(&mut self, progress: &Progress) {
        match self {
            Display::Off => {}
            Display::Bar(bar) => {
                bar.set_length(progress.tasks);
                bar.set_position(progress.done);
            }
            Display::Lines { last } if last.elapsed() >= LINE_EVERY => {
                *last = Instant::now();
                let seconds = progress.nanos as f64 / 1e9;
                let rate = progress.done as f64 / seconds.max(1e-9);
                let left = progress.tasks.saturating_sub(progress.done) as f64 / rate.max(1e-9);
                eprintln!("{}/{} tasks, {rate:.0}/s, {left:.0} s left", progress.done, progress.tasks);
            }
            Display::Lines { .. } => {}
        }
    }

    /// Says how it went.
    pub(super) fn end(&self, progress: &Progress, seconds: f64) {
        if matches!(self, Display::Off) {
            return;
        }
        let rate = progress.tasks as f64 / seconds.max(1e-9);
        let peak = HumanBytes(progress.bytes_peak);
        let tasks = counted(progress.tasks, "task");
        eprintln!("{tasks} in {seconds:.3} s ({rate:.0} tasks/s), peak memory {peak}");
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        if let Display::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
