//! The command line of the simulator.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use keywheel_simulator::liveness;
use keywheel_simulator::plan::{Bugs, Plan};

#[derive(Parser)]
struct Args {
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    #[arg(long, default_value_t = 0)]
    from: u64,
    #[arg(long)]
    show: bool,
    #[arg(long)]
    coverage: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mut out = std::io::stdout();
    let began = std::time::Instant::now();
    let mut steps = 0;
    let mut all = keywheel_simulator::coverage::Coverage::default();
    let mut by: std::collections::BTreeMap<String, Vec<u64>> = std::collections::BTreeMap::new();
    for seed in args.from..args.from + args.seeds {
        let plan = Arc::new(Plan::of_seed(seed, Bugs::default()));
        let world = liveness::run(&plan, args.show);
        steps += world.steps;
        all.add(&world.coverage);
        if args.show {
            let _ = writeln!(out, "{:#?}", world.plan);
            for e in &world.log.events {
                let _ = writeln!(out, "{:>10.3} {:?} {:?} {} | {}", e.at as f64 / 1000.0, e.node, e.what, e.text, e.keys);
            }
        }
        if let Some(v) = world.violation {
            by.entry(format!("{}: {}", v.invariant, v.text.split(' ').map(|w| if w.chars().any(|c| c.is_ascii_digit()) {"#"} else {w}).take(16).collect::<Vec<_>>().join(" "))).or_default().push(seed);
        }
    }
    for (k, s) in by { let _ = writeln!(out, "{:>6} {k}  {:?}", s.len(), &s[..s.len().min(5)]); }
    let s = began.elapsed().as_secs_f64();
    let _ = writeln!(out, "{} schedules, {steps} events, {:.0} schedules/min", args.seeds, args.seeds as f64 / s * 60.0);
    if args.coverage { let _ = write!(out, "{all}"); }
    ExitCode::SUCCESS
}
