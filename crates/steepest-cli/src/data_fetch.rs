//! `steepest data fetch`, and what a person sees of any download.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use steepest_io::{DataError, Fetch, FetchError, FetchEvent, LoadOptions, Patience, fetch};

use crate::UsageError;
use crate::args::NetworkArgs;
use crate::report::bytes;

/// Where a data set is: what `--json` prints.
#[derive(Serialize)]
struct Place<'a> {
    name: &'a str,
    /// Its folder, or the one file that it is in.
    path: String,
    /// Files that had to be downloaded.
    downloaded: &'a [String],
    /// Whether every file agrees with its checksum; only those of the cache are compared.
    checked: bool,
}

pub fn run(name: &str, network: NetworkArgs, json: bool) -> Result<()> {
    let found = fetch(name, &load_options(network, false)).map_err(|e| match e {
        DataError::Fetch(e @ FetchError::Unknown { .. }) => UsageError(e.to_string()).into(),
        e => anyhow::Error::from(e),
    })?;
    let path = found.path.display().to_string();
    let mut out = std::io::stdout().lock();
    if json {
        let place = Place { name, path, downloaded: &found.downloaded, checked: found.checked };
        writeln!(out, "{}", serde_json::to_string(&place)?)?;
        return Ok(());
    }
    let how = match (found.downloaded.len(), found.checked) {
        (0, true) => "there already, every file as published".to_string(),
        (0, false) => "there already, not compared with what is published".into(),
        (1, _) => "1 file downloaded".into(),
        (n, _) => format!("{n} files downloaded"),
    };
    writeln!(out, "{name} is in {path} ({how})")?;
    Ok(())
}

/// The usual options, with the network where it is wanted and downloads on stderr unless `quiet`.
pub fn load_options(network: NetworkArgs, quiet: bool) -> LoadOptions {
    let variable = std::env::var_os("STEEPEST_OFFLINE").unwrap_or_default();
    let is_offline = network.offline || !(variable.is_empty() || variable == "0");
    let fetch = (!is_offline).then(|| {
        let bar = bar(quiet);
        Fetch {
            patience: Patience::default(),
            on_event: Arc::new(move |event: &FetchEvent| show(event, &bar, quiet)),
        }
    });
    LoadOptions { fetch, ..LoadOptions::default() }
}

/// On a terminal a live bar, elsewhere nothing.
fn bar(quiet: bool) -> ProgressBar {
    let is_live = !quiet && std::io::stderr().is_terminal();
    let target = if is_live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    let style = ProgressStyle::with_template("{bar:16.green} {percent:>3} %  {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// A line for each file and each failure, and the bar below them.
fn show(event: &FetchEvent, bar: &ProgressBar, quiet: bool) {
    let line = |text: String| {
        if !quiet {
            // Whoever closed the other end does not want to know.
            bar.suspend(|| drop(writeln!(std::io::stderr(), "{text}")));
        }
    };
    match event {
        FetchEvent::Begins { url, expected, .. } => {
            line(format!("Downloading {url} ({})", bytes(*expected as usize)));
            bar.reset();
            bar.set_length(*expected);
        }
        FetchEvent::Arrived { bytes: so_far, total } => {
            bar.set_length(*total);
            bar.set_position(*so_far);
            bar.set_message(format!("{} of {}", bytes(*so_far as usize), bytes(*total as usize)));
        }
        FetchEvent::Failed { why, .. } => {
            bar.finish_and_clear();
            line(format!("  failed: {why}"));
        }
        FetchEvent::Done { .. } => bar.finish_and_clear(),
        _ => {}
    }
}
