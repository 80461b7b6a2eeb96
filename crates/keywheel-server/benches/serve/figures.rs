//! What was measured, and whether it is enough.

/// The middle one of several measurements: one that something else disturbed does not count.
pub(crate) fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// A line for a figure that something is wanted of; whether it is reached.
pub(crate) fn report(what: &str, figure: &str, wanted: &str, good: bool) -> bool {
    println!(
        "{what:<38} {figure:>12}   wanted: {wanted:<22} {}",
        if good { "PASS" } else { "FAIL" }
    );
    good
}

/// A line for a ratio that is to be at least so high.
pub(crate) fn report_at_least(what: &str, ratio: f64, least: f64) -> bool {
    report(
        what,
        &format!("{ratio:.2}"),
        &format!("at least {least:.2}"),
        ratio >= least,
    )
}

/// A line for a rate, and what one of it takes of the processor.
pub(crate) fn tell_rate(what: &str, rate: f64, cpu_us: f64) {
    println!("{what:<38} {rate:>12.0}   a second, {cpu_us:.1} µs of a core each");
}
