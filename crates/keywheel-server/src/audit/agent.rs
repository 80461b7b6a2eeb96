//! Kinds of clients, by the `User-Agent` that they send (platform contract, rule R17 and section 6.13).

/// The words of the API.
pub const KINDS: [&str; 7] = [
    "web",
    "cli",
    "k8-operator",
    "terraform",
    "InfisicalNodeSDK",
    "InfisicalPythonSDK",
    OTHER,
];

const OTHER: &str = "other";

/// How the `User-Agent` of a kind begins. The SDKs send the name of the HTTP library that they use.
const BEGINNINGS: [(&str, &str); 6] = [
    ("Mozilla/", "web"),
    ("cli", "cli"),
    ("k8-operator", "k8-operator"),
    ("terraform", "terraform"),
    ("node", "InfisicalNodeSDK"),
    ("python-requests/", "InfisicalPythonSDK"),
];

/// The kind of client that sends this.
pub fn kind_of(user_agent: &str) -> &'static str {
    BEGINNINGS
        .iter()
        .find(|(beginning, _)| user_agent.starts_with(beginning))
        .map_or(OTHER, |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_of_the_contract_are_known() {
        for (sent, kind) in [
            ("terraform", "terraform"),
            ("cli", "cli"),
            ("k8-operator/0.11.5", "k8-operator"),
            ("node", "InfisicalNodeSDK"),
            ("python-requests/2.32.3", "InfisicalPythonSDK"),
            ("Mozilla/5.0 (X11)", "web"),
            ("infisical-go-sdk", "other"),
            ("", "other"),
        ] {
            assert_eq!(kind_of(sent), kind, "{sent}");
            assert!(KINDS.contains(&kind));
        }
    }
}
