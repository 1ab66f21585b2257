//! Keys and certificates of one throwaway control plane. They live as long as its folder.

use std::net::{IpAddr, Ipv4Addr};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType, SerialNumber,
};

use crate::error::{Failure, Kind};

/// A certificate and its private key, both PEM. Not `Debug`: it holds a key.
#[derive(Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The private key (PKCS #8).
    pub key: String,
}

/// An authority that signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate and key.
    pub pair: Pair,
}

fn failed(error: rcgen::Error) -> Failure {
    Failure::new(
        Kind::Internal,
        "the certificates of the control plane could not be made",
    )
    .because(error)
}

/// What all have in common.
fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    // Valid from long ago, so that a clock that is set back does no harm; the folder, not the date, ends them.
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2120, 1, 1);
    params
}

impl Authority {
    /// A new authority of that common name.
    pub fn new(name: &str) -> Result<Authority, Failure> {
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let certificate = params.self_signed(&key).map_err(failed)?;
        let pair = Pair {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        };
        Ok(Authority {
            issuer: Issuer::new(params, key),
            pair,
        })
    }

    /// The authority of that common name again, from its certificate and key.
    pub fn load(name: &str, pair: Pair) -> Result<Authority, Failure> {
        let key = KeyPair::from_pem(&pair.key).map_err(failed)?;
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(Authority {
            issuer: Issuer::new(params, key),
            pair,
        })
    }

    /// A certificate for a server of these host names and addresses.
    pub fn server(&self, hosts: &[&str]) -> Result<Pair, Failure> {
        let mut params = named(hosts.first().copied().unwrap_or("server"));
        for host in hosts {
            let name = match host.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName((*host).try_into().map_err(failed)?),
            };
            params.subject_alt_names.push(name);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params)
    }

    /// A certificate for a client that Kubernetes takes as this user in these groups (its common name and organisations).
    pub fn client(&self, user: &str, groups: &[&str]) -> Result<Pair, Failure> {
        let mut params = named(user);
        for group in groups {
            params.distinguished_name.push(DnType::OrganizationName, *group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    fn sign(&self, mut params: CertificateParams) -> Result<Pair, Failure> {
        let key = KeyPair::generate().map_err(failed)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        // Must differ within an authority; the public key is random enough.
        params.serial_number = Some(SerialNumber::from_slice(&key.public_key_raw()[1..17]));
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(Pair {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

/// The first address of the Service range, which the API server gives to the Service `default/kubernetes`.
pub const API_SERVICE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// What one control plane needs.
pub struct Certificates {
    /// Signs the API server and its clients.
    pub authority: Authority,
    /// Signs the simulated backends behind webhooks.
    pub backends: Authority,
    /// The API server's own.
    pub server: Pair,
    /// A user in `system:masters`.
    pub admin: Pair,
    /// kube-controller-manager, in `system:masters`: its own role is made for controllers that have ServiceAccounts each,
    /// whose tokens would have to be made first.
    pub controller_manager: Pair,
    /// kube-scheduler.
    pub scheduler: Pair,
    /// KWOK, in `system:masters` because Stages may patch anything.
    pub kwok: Pair,
    /// refloat as the simulated cluster around the API server.
    pub simulator: Pair,
    /// Signs the tokens of ServiceAccounts: private and public key, PEM.
    pub tokens: (String, String),
}

/// The common name of the authority that signs simulated backends.
pub const BACKENDS: &str = "refloat simulated backends";

impl Certificates {
    /// All new.
    pub fn new() -> Result<Certificates, Failure> {
        let authority = Authority::new("refloat throwaway control plane")?;
        let tokens = KeyPair::generate().map_err(failed)?;
        let hosts = [
            "127.0.0.1",
            "localhost",
            &API_SERVICE_ADDRESS.to_string(),
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ];
        Ok(Certificates {
            backends: Authority::new(BACKENDS)?,
            server: authority.server(&hosts)?,
            admin: authority.client("refloat-admin", &["system:masters"])?,
            controller_manager: authority.client("system:kube-controller-manager", &["system:masters"])?,
            scheduler: authority.client("system:kube-scheduler", &[])?,
            kwok: authority.client("refloat-kwok", &["system:masters"])?,
            simulator: authority.client("refloat-simulator", &["system:masters"])?,
            tokens: (tokens.serialize_pem(), tokens.public_key_pem()),
            authority,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_pair_of_its_own() {
        let all = Certificates::new().expect("the machine has randomness");
        let pairs = [
            &all.server,
            &all.admin,
            &all.controller_manager,
            &all.scheduler,
            &all.kwok,
            &all.simulator,
        ];
        let mut keys: Vec<&str> = pairs.iter().map(|pair| pair.key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), pairs.len());
        assert!(all.server.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(all.tokens.1.starts_with("-----BEGIN PUBLIC KEY-----"));
    }

    #[test]
    fn a_loaded_authority_signs_as_the_first_did() {
        let first = Authority::new(BACKENDS).expect("the machine has randomness");
        let again = Authority::load(BACKENDS, first.pair.clone()).expect("it is its own output");
        let signed = again.server(&["hook.shop.svc"]).expect("it can sign");
        crate::net::Api::new(
            "https://127.0.0.1:1",
            &first.pair.certificate,
            &signed.certificate,
            &signed.key,
        )
        .expect("both parse as a chain would need");
    }
}
