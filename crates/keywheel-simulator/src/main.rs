//! The command line of the simulator.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use keywheel_simulator::exhaustive::{BEGINNINGS, Bounds, search_all};
use keywheel_simulator::explore::{Range, Report, explore};
use keywheel_simulator::plan::{Bugs, Plan};
use keywheel_simulator::replay::{Recording, record};
use keywheel_simulator::shrink::shrink;

/// Failing schedules that are made smaller and written to files; the others are only counted.
const FILES_MAX: usize = 5;

/// Looks for a schedule of faults under which a promise of the engine breaks.
///
/// Exit codes: 0 no promise was broken, 1 one was (with --expect-violation the other way round), 2 wrong usage.
#[derive(Parser)]
#[command(name = "keywheel-simulator")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
struct Args {
    /// How many random schedules to run.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Threads; the processors of the machine if left out.
    #[arg(long)]
    threads: Option<usize>,
    /// Count what struck and what occurred.
    #[arg(long)]
    coverage: bool,
    /// Run the schedule of a file again, and print each event with the keys after it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seeds", "from"])]
    replay: Option<PathBuf>,
    /// Where to write failing schedules.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    out: PathBuf,
    /// Succeed if a promise is broken within the seeds, and say after how many.
    #[arg(long)]
    expect_violation: bool,
    /// Search all interleavings in small scope instead.
    #[arg(long)]
    exhaustive: bool,
    /// Crashes on one path of the exhaustive search.
    #[arg(long, default_value_t = Bounds::FULL.crashes)]
    crashes: u8,
    /// Lost answers on one path of the exhaustive search.
    #[arg(long, default_value_t = Bounds::FULL.lost)]
    lost: u8,
    /// Acts of somebody else on one path of the exhaustive search.
    #[arg(long, default_value_t = Bounds::FULL.foreign)]
    foreign: u8,
    /// Nodes that stand still on one path of the exhaustive search.
    #[arg(long, default_value_t = Bounds::FULL.pauses)]
    pauses: u8,
    /// Rotations after the creation in the exhaustive search.
    #[arg(long, default_value_t = Bounds::FULL.rotations)]
    rotations: u32,
    /// A defect of the driver: writes under an older fence are made.
    #[arg(long)]
    ignore_fence: bool,
    /// A defect of the driver: calls are sent whatever is left of the lease.
    #[arg(long)]
    ignore_may_send: bool,
    /// A defect of the driver: a create without an answer is sent again.
    #[arg(long)]
    retry_creates: bool,
    /// A defect of the driver: secrets are stored as they are.
    #[arg(long)]
    skip_seal: bool,
}

impl Args {
    fn threads(&self) -> usize {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        self.threads.unwrap_or(processors).max(1)
    }

    const fn bugs(&self) -> Bugs {
        Bugs {
            ignore_fence: self.ignore_fence,
            ignore_may_send: self.ignore_may_send,
            retry_creates: self.retry_creates,
            skip_seal: self.skip_seal,
        }
    }
}

fn main() -> io::Result<ExitCode> {
    let args = Args::parse();
    let mut out = io::stdout().lock();
    let broken = match &args.replay {
        Some(file) => replay(&mut out, file)?,
        None if args.exhaustive => exhaustive(&mut out, &args)?,
        None => random(&mut out, &args)?,
    };
    Ok(if broken == args.expect_violation {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Searches small scopes; whether a promise was broken.
fn exhaustive(out: &mut impl Write, args: &Args) -> io::Result<bool> {
    let bounds = Bounds {
        crashes: args.crashes,
        lost: args.lost,
        foreign: args.foreign,
        pauses: args.pauses,
        rotations: args.rotations,
        ..Bounds::FULL
    };
    writeln!(
        out,
        "two nodes; on each path {} crashes, {} lost answers, {} acts of somebody else, {} pauses, {} rotations",
        bounds.crashes, bounds.lost, bounds.foreign, bounds.pauses, bounds.rotations
    )?;
    let began_at = Instant::now();
    let all = search_all(bounds, args.bugs(), args.threads());
    for (beginning, found) in BEGINNINGS.iter().zip(&all) {
        writeln!(
            out,
            "{:<36} {:>10} states, depth {:>4}{}",
            beginning.name,
            found.states,
            found.depth,
            if found.complete { "" } else { ", not complete" }
        )?;
        if let Some((text, way)) = &found.violation {
            for step in way {
                writeln!(out, "  {step}")?;
            }
            writeln!(out, "  {text}")?;
        }
    }
    let states: usize = all.iter().map(|found| found.states).sum();
    let broken = all.iter().filter(|found| found.violation.is_some()).count();
    writeln!(
        out,
        "{states} states from {} beginnings, {:.1} s; {broken} broke a promise",
        all.len(),
        began_at.elapsed().as_secs_f64()
    )?;
    Ok(broken > 0)
}

/// Runs random schedules; whether a promise was broken.
fn random(out: &mut impl Write, args: &Args) -> io::Result<bool> {
    let threads = args.threads();
    let began_at = Instant::now();
    let report = explore(Range {
        from: args.from,
        seeds: args.seeds,
        threads,
        stop_at_first: args.expect_violation,
        bugs: args.bugs(),
    });
    let seconds = began_at.elapsed().as_secs_f64().max(0.001);
    if args.coverage {
        write!(out, "{}", report.coverage)?;
    }
    tell(out, args, &report)?;
    let minutes = seconds / 60.0;
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let per_minute = report.schedules as f64 / minutes / threads as f64;
    writeln!(
        out,
        "{} schedules from seed {}, {} events, {seconds:.1} s on {threads} threads: {per_minute:.0} schedules per \
         minute and thread; {} broke a promise",
        report.schedules,
        args.from,
        report.events,
        report.violations.len()
    )?;
    Ok(!report.violations.is_empty())
}

/// Prints what was broken, and writes the first failing schedules to files.
fn tell(out: &mut impl Write, args: &Args, report: &Report) -> io::Result<()> {
    for (seed, violation) in report.violations.iter().take(FILES_MAX) {
        writeln!(
            out,
            "seed {seed}: {} broken: {}",
            violation.invariant, violation.text
        )?;
        if args.expect_violation {
            writeln!(out, "found after {} schedules", seed.wrapping_sub(args.from) + 1)?;
            return Ok(());
        }
        let plan = shrink(&Plan::of_seed(*seed, args.bugs()), &violation.invariant);
        for command in &plan.commands {
            writeln!(out, "  {:>12} ms  {:?}", command.at, command.what)?;
        }
        for fault in &plan.faults {
            writeln!(out, "  {:?}  {:?}", fault.when, fault.what)?;
        }
        let file = args.out.join(format!("schedule-{seed}.jsonl"));
        record(plan).write(BufWriter::new(File::create(&file)?))?;
        writeln!(out, "  step through it: --replay {}", file.display())?;
    }
    let mut rest = std::collections::BTreeMap::<&str, Vec<u64>>::new();
    for (seed, violation) in report.violations.iter().skip(FILES_MAX) {
        rest.entry(&violation.invariant).or_default().push(*seed);
    }
    for (invariant, seeds) in rest {
        let first: Vec<String> = seeds.iter().take(8).map(u64::to_string).collect();
        writeln!(
            out,
            "{invariant} broken by {} more seeds: {} …",
            seeds.len(),
            first.join(" ")
        )?;
    }
    Ok(())
}

/// Steps through a schedule; whether it breaks a promise again.
fn replay(out: &mut impl Write, file: &Path) -> io::Result<bool> {
    let kept = Recording::read(BufReader::new(File::open(file)?))?;
    let again = record(kept.plan.clone());
    for event in &again.events {
        let seconds = std::time::Duration::from_millis(u64::try_from(event.at).unwrap_or(0)).as_secs_f64();
        let node = event.node.map_or_else(|| "-".to_owned(), |node| node.to_string());
        let what = format!("{:?}", event.what);
        writeln!(
            out,
            "{seconds:>12.3} {node} {what:<9} {:<70} | {}",
            event.text, event.keys
        )?;
    }
    match &again.violation {
        Some(violation) => writeln!(out, "{} broken: {}", violation.invariant, violation.text)?,
        None => writeln!(out, "no promise was broken")?,
    }
    if again != kept {
        writeln!(out, "not the same as when it was recorded")?;
    }
    Ok(again.violation.is_some())
}
