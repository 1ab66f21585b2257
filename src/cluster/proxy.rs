//! Which proxy stands between us and the API server.
//!
//! kube 5.0 matches `NO_PROXY` against the proxy's own address instead of the cluster's (kube-client 5.0.0,
//! `config/file_loader.rs`), so the question is answered here, as client-go does: `proxy-url` of the kubeconfig as it
//! stands; else `HTTPS_PROXY` unless the server is this machine or `NO_PROXY` names it.

use std::net::IpAddr;

use http::Uri;

/// The proxy to use for `server`, or `None`.
pub(super) fn proxy_for(
    server: &Uri,
    kubeconfig: Option<&str>,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Option<Uri>, String> {
    let either = |upper: &str| {
        let found = env(upper).filter(|text| !text.is_empty());
        found.or_else(|| env(&upper.to_lowercase()).filter(|text| !text.is_empty()))
    };
    let (text, from) = match kubeconfig.filter(|text| !text.is_empty()) {
        Some(text) => (text.to_owned(), "proxy-url in the kubeconfig"),
        None => {
            let plain = server.scheme_str() == Some("http");
            let name = if plain { "HTTP_PROXY" } else { "HTTPS_PROXY" };
            let Some(text) = either(name) else {
                return Ok(None);
            };
            if goes_direct(server, &either("NO_PROXY").unwrap_or_default()) {
                return Ok(None);
            }
            (text, name)
        }
    };
    let text = if text.contains("://") {
        text
    } else {
        format!("http://{text}")
    };
    match text.parse::<Uri>() {
        Ok(uri) if matches!(uri.scheme_str(), Some("http" | "https")) => Ok(Some(uri)),
        Ok(_) => Err(format!("{from} names a proxy that is neither http:// nor https://")),
        Err(_) => Err(format!("{from} is no address")),
    }
}

/// Whether `NO_PROXY` (or being this machine) makes the connection direct. An entry is `*`, an address, a range in CIDR form, a
/// domain (with or without a leading dot: itself and what is below), each with an optional port.
fn goes_direct(server: &Uri, no_proxy: &str) -> bool {
    let host = server.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let port = server
        .port_u16()
        .unwrap_or(if server.scheme_str() == Some("http") { 80 } else { 443 });
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|ip| ip.is_loopback()) {
        return true;
    }
    no_proxy
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .any(|entry| {
            let entry = entry.to_ascii_lowercase();
            if entry == "*" {
                return true;
            }
            if let Some(ip) = address
                && within(ip, &entry)
            {
                return true;
            }
            let (name, wanted) = match entry.rsplit_once(':') {
                Some((name, number)) if number.bytes().all(|b| b.is_ascii_digit()) && !name.contains(':') => {
                    (name, number.parse::<u16>().ok())
                }
                _ => (&*entry, None),
            };
            if wanted.is_some_and(|wanted| wanted != port) {
                return false;
            }
            if address.is_some() {
                return name == host;
            }
            // `.example.com` is what is below, `example.com` that and itself, as in Go's net/http.
            let name = name.strip_prefix('*').unwrap_or(name);
            match name.strip_prefix('.') {
                Some(domain) => host.ends_with(name) && host != domain,
                None => host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')),
            }
        })
}

/// Whether an address lies in a range such as `10.0.0.0/8`, or is that address.
fn within(ip: IpAddr, range: &str) -> bool {
    let bits = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)) << 96, 32),
        IpAddr::V6(ip) => (u128::from(ip), 128),
    };
    let (base, length) = range
        .split_once('/')
        .map_or((range, None), |(base, length)| (base, Some(length)));
    let Ok(base) = base.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() else {
        return false;
    };
    let ((a, width), (b, other)) = (bits(ip), bits(base));
    let length = match length.map(str::parse::<u32>) {
        None => width,
        Some(Ok(length)) if length <= width => length,
        Some(_) => return false,
    };
    width == other && (length == 0 || (a ^ b) >> (128 - length) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(server: &str, kubeconfig: Option<&str>, env: &[(&str, &str)]) -> Result<Option<String>, String> {
        let server = server.parse().expect("because the test gives a real address");
        let read = |name: &str| {
            env.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        proxy_for(&server, kubeconfig, read).map(|uri| uri.map(|uri| uri.to_string()))
    }

    #[test]
    fn no_proxy_is_matched_against_the_cluster() {
        let proxied = Ok(Some("http://proxy:3128/".to_owned()));
        for (server, no_proxy, direct) in [
            ("https://api.internal:6443", "", false),
            ("https://api.internal:6443", "api.internal", true),
            ("https://api.internal:6443", "other,.internal", true),
            ("https://api.internal:6443", "*.internal", true),
            ("https://internal:6443", ".internal", false),
            ("https://api.internal:6443", "internal", true),
            ("https://notinternal:6443", "internal", false),
            ("https://api.internal:6443", "api.internal:443", false),
            ("https://api.internal:6443", "api.internal:6443", true),
            ("https://10.1.2.3:6443", "10.0.0.0/8", true),
            ("https://11.1.2.3:6443", "10.0.0.0/8", false),
            ("https://10.1.2.3:6443", "10.1.2.3", true),
            ("https://[fd00::1]:6443", "fd00::/8", true),
            ("https://proxy.example:6443", "proxy", false),
            ("https://api.internal", "*", true),
            ("https://127.0.0.1:6443", "", true),
            ("https://localhost:6443", "", true),
        ] {
            let found = ask(
                server,
                None,
                &[("HTTPS_PROXY", "http://proxy:3128"), ("no_proxy", no_proxy)],
            );
            assert_eq!(
                found,
                if direct { Ok(None) } else { proxied.clone() },
                "{server} {no_proxy}"
            );
        }
    }

    #[test]
    fn the_kubeconfig_goes_before_the_environment() {
        let found = ask(
            "https://127.0.0.1:1",
            Some("http://a:1"),
            &[("HTTPS_PROXY", "http://b:2"), ("NO_PROXY", "*")],
        );
        assert_eq!(found, Ok(Some("http://a:1/".to_owned())));
        let found = ask("https://api:1", None, &[("https_proxy", "b:2")]);
        assert_eq!(found, Ok(Some("http://b:2/".to_owned())));
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_said() {
        let found = ask("https://api:1", Some("socks5://a:1"), &[]);
        assert_eq!(
            found,
            Err("proxy-url in the kubeconfig names a proxy that is neither http:// nor https://".to_owned())
        );
    }
}
