//! What an answer says beside its body, and what it means if there is none.

use reqwest::header::HeaderValue;

use super::ServerUrl;
use crate::exit::{Failure, Kind};

/// The parameters of the next page: `<?pageSize=500&pageCursor=…>; rel="next"`.
pub(super) fn next_page(link: &HeaderValue) -> Option<Vec<(String, String)>> {
    let (target, relation) = link.to_str().ok()?.split_once('>')?;
    if !relation.contains("rel=\"next\"") {
        return None;
    }
    let query = target.strip_prefix("<?")?;
    // Only the query counts; the rest makes it an address that can be read.
    let page = reqwest::Url::parse(&format!("http://localhost/?{query}")).ok()?;
    Some(page.query_pairs().into_owned().collect())
}

/// Why there is no answer.
pub(super) fn unreachable(fault: &reqwest::Error, server: &ServerUrl) -> Failure {
    let mut cause: &dyn std::error::Error = fault;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let message = if fault.is_connect() {
        format!("cannot reach {server}: {cause}; is it running, and is --url right?")
    } else if fault.is_timeout() {
        format!("{server} did not answer in time; what was asked for may still be going on")
    } else {
        format!("the answer of {server} was lost: {cause}")
    };
    Failure::new(Kind::Unreachable, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_where_the_link_leads() {
        let link = |text| next_page(&HeaderValue::from_static(text));
        let wanted = [("pageSize", "1"), ("pageCursor", "a-_b"), ("q", "x y")];
        let wanted = wanted.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            link("<?pageSize=1&pageCursor=a-_b&q=x%20y>; rel=\"next\""),
            Some(wanted.to_vec())
        );
        assert_eq!(link("<?pageSize=1>; rel=\"prev\""), None);
        assert_eq!(link("<https://elsewhere.example/?a=b>; rel=\"next\""), None);
    }
}
