//! The little of Markdown that descriptions use: paragraphs, points, and words between backticks.

/// Paragraphs, each as runs of text.
pub(super) type Prose<'a> = Vec<Vec<Run<'a>>>;

/// A run of text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Run<'a> {
    pub(super) text: &'a str,
    pub(super) is_code: bool,
}

/// Reads a description. A point of a list is a paragraph of its own.
pub(super) fn prose(text: &str) -> Prose<'_> {
    text.split("\n\n")
        .flat_map(points)
        .filter(|paragraph| !paragraph.is_empty())
        .map(runs)
        .collect()
}

/// Parts a block before each line that begins a point.
fn points(block: &str) -> Vec<&str> {
    let starts = block.match_indices("\n- ").map(|(at, _)| at);
    let ends = starts.clone().chain([block.len()]);
    let parts = [0].into_iter().chain(starts).zip(ends);
    parts
        .filter_map(|(start, end)| block.get(start..end))
        .map(str::trim)
        .collect()
}

/// Parts a line into plain text and code.
pub(super) fn runs(paragraph: &str) -> Vec<Run<'_>> {
    let parts = paragraph.split('`').enumerate();
    let runs = parts.map(|(index, text)| Run {
        text,
        is_code: index % 2 == 1,
    });
    runs.filter(|run| !run.text.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_points_and_code_are_told_apart() {
        let text = "Takes `a`\nand b:\n- one\n- `two`\n\n\nAfter.";
        let seen: Vec<Vec<_>> = prose(text)
            .into_iter()
            .map(|paragraph| paragraph.into_iter().map(|run| (run.text, run.is_code)).collect())
            .collect();
        let plain = |text| (text, false);
        assert_eq!(
            seen,
            [
                vec![plain("Takes "), ("a", true), plain("\nand b:")],
                vec![plain("- one")],
                vec![plain("- "), ("two", true)],
                vec![plain("After.")],
            ]
        );
        assert_eq!(prose(""), Prose::new());
    }
}
